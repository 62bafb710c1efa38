"""Read through a server of the kind that CADC has: its clients read files from a storage that asks for their token.

Usage: ``cadc_interop.py ROOT``. The repository is one of ``make_repo.py`` with ``base.yaml``, files and Python's formats, on
disk. A web server is put before its files; the Butler server knows the repository by the addresses there.
``server_process.py`` says which Butler server it is.

Prints ``{"passed": [name], "failed": {name: text}, "skipped": {name: reason}}``.
"""

import argparse
import functools
import http.server
import logging
import os
import shutil
import tempfile
import threading
import unittest
import warnings

import yaml
from agreement import Agreement
from canonical import show
from contents import content_of
from interop_files import stored
from lsst.daf.butler import Butler
from outcomes import Outcomes
from remote_interop import LABEL, name_of
from server_process import ServerProcess

TOKEN = "a-token"


class Storage(http.server.SimpleHTTPRequestHandler):
    """Gives files to those who have the token."""

    def send_head(self):
        """Begin an answer to GET or HEAD."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send_error(401)
            return None
        return super().send_head()

    def log_message(self, *_):
        """Say nothing."""


class Cadc(Agreement):
    """Files in a storage that knows clients."""

    def setUp(self):
        refs = stored(self.direct)
        # What was ingested in place is not in the storage.
        root = self.direct._config.configDir
        inside = lambda ref: all(uri.relative_to(root) for uri in uris_of(self.direct, ref).values())  # noqa: E731
        self.refs = [ref for ref in refs if inside(ref)]
        self.assertGreater(len(self.refs), 15)

    def test_get_of_every_dataset(self):
        for ref in self.refs:
            with self.subTest(dataset=str(ref)):
                self.agree_on_something(lambda butler, ref=ref: content_of(butler.get(ref)))

    def test_uris_are_those_of_the_storage(self):
        root = self.direct._config.configDir
        for ref in self.refs:
            with self.subTest(dataset=str(ref)):
                theirs = uris_of(self.direct, ref)
                for name, uri in uris_of(self.remote, ref).items():
                    self.assertEqual(uri.geturl(), f"{self.storage}/{theirs[name].geturl().removeprefix(root.geturl())}")

    def test_transfer_to_a_local_repository(self):
        refs = [ref for ref in self.refs if ref.run == "files/put"]
        root = self.enterContext(tempfile.TemporaryDirectory())
        Butler.makeRepo(root)
        local = self.enterContext(Butler.from_config(root, writeable=True))
        local.transfer_from(self.remote, refs, transfer="copy", register_dataset_types=True, transfer_dimensions=True)
        for ref in refs:
            with self.subTest(dataset=str(ref)):
                self.assertEqual(content_of(local.get(ref)), content_of(self.direct.get(ref)))


def uris_of(butler, ref):
    """Return the URIs of the files of a dataset, by component."""
    uris = butler.getURIs(ref)
    return {None: uris.primaryURI} if uris.primaryURI is not None else dict(uris.componentURIs)


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Read through a server of the kind that CADC has.")
    parser.add_argument("root")
    root = os.path.abspath(parser.parse_args().root)
    storage = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Storage, directory=root))
    threading.Thread(target=storage.serve_forever, daemon=True).start()
    Cadc.storage = f"http://127.0.0.1:{storage.server_port}"
    outcomes = Outcomes(name_of)
    with Butler.from_config(root, writeable=True) as direct, tempfile.TemporaryDirectory() as served:
        file = os.path.join(served, "butler.yaml")
        shutil.copy(os.path.join(root, "butler.yaml"), file)
        with open(file) as stream:
            config = yaml.safe_load(stream)
        config["datastore"]["root"] = f"{Cadc.storage}/"
        config["datastore"].setdefault("name", "FileDatastore@<butlerRoot>")
        config["registry"] = {**config.get("registry", {}), "db": f"sqlite:///{root}/gen3.sqlite3"}
        with open(file, "w") as stream:
            yaml.safe_dump(config, stream)
        with (
            ServerProcess({LABEL: served}, authentication="cadc") as server,
            server.remote_butler(LABEL) as remote,
        ):
            Agreement.direct, Agreement.remote = direct, remote
            outcomes.run([Cadc(name) for name in unittest.defaultTestLoader.getTestCaseNames(Cadc)])
    storage.shutdown()
    show(outcomes.document)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
