"""Validate manifests of Kubernetes against its own schemas, strictly, and custom resources against those in a directory.

Usage: ``check_manifests.py --schemas DIR --kubernetes VERSION… < MANIFESTS``

Standard input is a stream of YAML documents as ``helm template`` writes it. Each is validated for every version of
Kubernetes; kinds that the schemas do not have are looked for as ``DIR/<kind in lower case>.json``, and are a fault if they
are not there. Prints the manifests as a JSON list, or ends with the faults on standard error.
"""

import argparse
import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml


class UniqueKeys(yaml.SafeLoader):
    """Refuses mappings with a key that is there twice, of which the last one would count."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"keys are there twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def faults(manifest, versions, schemas):
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    own = schemas / f"{kind.lower()}.json"
    if own.exists():
        validator = jsonschema.Draft202012Validator(json.loads(own.read_text()))
        for error in validator.iter_errors(manifest):
            yield f"{kind} {name}: {error.json_path}: {error.message}"
        return
    for version in versions:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{kind} {name} (Kubernetes {version}): {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{kind} {name} (Kubernetes {version}): {error}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schemas", type=Path, required=True)
    parser.add_argument("--kubernetes", nargs="+", required=True)
    arguments = parser.parse_args()
    manifests = [document for document in yaml.load_all(sys.stdin, UniqueKeys) if document]
    found = [
        fault for manifest in manifests for fault in faults(manifest, arguments.kubernetes, arguments.schemas)
    ]
    if found:
        sys.exit("\n".join(found))
    json.dump(manifests, sys.stdout)


main()
