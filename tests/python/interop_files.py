"""Datasets and their files through a server: what a RemoteButler gets is what a DirectButler gets."""

import os
import tempfile
import urllib.request
import uuid
from urllib.parse import unquote, urlsplit

from agreement import Agreement, told, unordered
from contents import content_of
from lsst.daf.butler import Butler, CollectionType, DatasetNotFoundError, DatasetRef, DatasetType

CAM1 = {"instrument": "Cam1"}


def stored(butler):
    """Return the datasets that have files, expanded, in a fixed order."""
    runs = butler.collections.query("*", collection_types=CollectionType.RUN)
    refs = butler.query_all_datasets(runs, find_first=False, limit=None)
    known = butler._datastore.knows_these(refs)
    return sorted((ref for ref in refs if known[ref]), key=lambda ref: (ref.datasetType.name, ref.id))


class Files(Agreement):
    """Datasets and files."""

    def setUp(self):
        self.refs = [ref for ref in stored(self.direct) if self.can_be_signed(ref)]
        self.assertGreater(len(self.refs), 15)

    def one(self, name):
        return next(ref for ref in self.refs if ref.datasetType.name == name)

    def can_be_signed(self, ref):
        """Say whether the server has URLs for the files; the reference's has none for those on disk."""
        uris = self.direct.getURIs(ref)
        local = any(uri.isLocal for uri in (uris.primaryURI, *uris.componentURIs.values()) if uri is not None)
        return bool(os.environ.get("BUTLER_TEST_SERVER")) or not local

    def can_be_checked(self, ref):
        """Say whether the client can ask for a file without reading it.

        It knows URLs of which the signature allows nothing but reading by the parameters of the older version of
        signatures, and takes a refusal for absence otherwise.
        """
        if self.remote.exists(ref, full_check=False) != self.direct.exists(ref, full_check=False):
            return True
        if not self.direct.stored(ref):
            return True
        uris = self.remote.getURIs(ref)
        return not any("X-Amz-Signature" in uri.query for uri in (uris.primaryURI, *uris.componentURIs.values()) if uri)

    def agree_on_content(self, question):
        return self.agree_on_something(lambda butler: content_of(question(butler)))

    def test_get_of_every_dataset(self):
        for ref in self.refs:
            with self.subTest(dataset=str(ref)):
                self.agree_on_content(lambda butler, ref=ref: butler.get(ref))

    def test_get_by_data_id(self):
        for ref in self.refs:
            with self.subTest(dataset=str(ref)):
                self.agree_on_content(
                    lambda butler, ref=ref: butler.get(ref.datasetType.name, ref.dataId, collections=ref.run)
                )

    def test_get_deferred(self):
        for ref in self.refs:
            with self.subTest(dataset=str(ref)):
                self.agree_on_content(lambda butler, ref=ref: butler.getDeferred(ref).get())

    def test_get_deferred_by_data_id(self):
        ref = self.one("dict_yaml")
        self.agree_on_content(
            lambda butler: butler.getDeferred("dict_yaml", ref.dataId, collections=ref.run).get()
        )

    def test_components_of_a_disassembled_composite(self):
        ref = self.one("metrics_apart")
        for component in ("summary", "output", "data"):
            with self.subTest(component=component):
                self.agree_on_content(lambda butler, c=component: butler.get(ref.makeComponentRef(c)))
                self.agree_on_content(
                    lambda butler, c=component: butler.get(f"metrics_apart.{c}", ref.dataId, collections=ref.run)
                )
                self.agree_on_content(
                    lambda butler, c=component: butler.getDeferred(
                        f"metrics_apart.{c}", ref.dataId, collections=ref.run
                    ).get()
                )

    def test_components_of_a_composite_in_one_file(self):
        ref = self.one("metrics_whole")
        for component in ("summary", "output", "data"):
            with self.subTest(component=component):
                self.agree_on_content(lambda butler, c=component: butler.get(ref.makeComponentRef(c)))

    def test_components_and_parameters_of_a_table(self):
        ref = self.one("data_frame")
        self.agree_on_content(lambda butler: butler.get(ref, parameters={"columns": ["a"]}))
        self.agree_on_something(lambda butler: butler.get(ref.makeComponentRef("rowcount")))

    def test_another_storage_class(self):
        ref = self.one("arrow_astropy")
        self.agree_on_content(lambda butler: butler.get(ref, storageClass="ArrowTable"))

    def test_uri_of_every_file_gives_its_bytes_without_credentials(self):
        for ref in self.refs:
            with self.subTest(dataset=str(ref)):
                ours, theirs = self.remote.getURIs(ref), self.direct.getURIs(ref)
                self.assertEqual(sorted(ours.componentURIs), sorted(theirs.componentURIs))
                pairs = [(ours.componentURIs[name], theirs.componentURIs[name]) for name in ours.componentURIs]
                if theirs.primaryURI is not None:
                    pairs.append((ours.primaryURI, theirs.primaryURI))
                self.assertTrue(pairs)
                for our, their in pairs:
                    self.assertIn(our.scheme, ("http", "https"))
                    self.assertEqual(our.read(), their.read())
                    self.assertEqual(unquote(our.basename()), unquote(their.basename()))
                    self.assertEqual(our.fragment, their.fragment)
                    if not their.fragment:
                        self.assertEqual(bytes_at(our), their.read())

    def test_uri_reads_in_parts(self):
        ref = self.one("dict_yaml")
        uri, expected = self.remote.getURI(ref), self.direct.getURI(ref).read()
        request = urllib.request.Request(uri.geturl(), headers={"Range": "bytes=3-9"})
        with urllib.request.urlopen(request) as answer:
            self.assertEqual((answer.status, answer.read()), (206, expected[3:10]))

    def test_uri_of_a_disassembled_composite_is_an_error(self):
        self.agree_on_error(lambda butler: butler.getURI(self.one("metrics_apart")), "RuntimeError")

    def test_existence(self):
        unknown = DatasetRef(self.refs[0].datasetType, self.refs[0].dataId, run="nowhere", id=uuid.uuid4())
        fileless = self.direct.query_datasets("bias", "imported_g")[0]
        for ref in [*self.refs, unknown, fileless]:
            for full in (True, False) if self.can_be_checked(ref) else (False,):
                with self.subTest(dataset=str(ref), full_check=full):
                    self.agree(lambda butler, ref=ref, full=full: butler.exists(ref, full_check=full).value)

    def test_existence_by_data_id(self):
        full = self.can_be_checked(self.one("dict_yaml"))
        for collections in ("files", "imported_g"):
            self.agree_on_something(
                lambda butler, c=collections: [
                    butler.exists("dict_yaml", CAM1, detector=1, collections=c, full_check=full).value
                ]
            )

    def test_get_of_what_has_no_file(self):
        fileless = self.direct.query_datasets("bias", "imported_g")[0]
        for question in (self.remote.get, self.remote.getDeferred, self.remote.getURIs):
            self.assertRaises(DatasetNotFoundError, question, fileless)

    def test_get_of_what_does_not_exist(self):
        ref = self.refs[0]
        unknown = DatasetRef(ref.datasetType, ref.dataId, run="nowhere", id=uuid.uuid4())
        self.assertRaises(DatasetNotFoundError, self.remote.get, unknown)
        for question, name in (
            (lambda b: b.get("dict_yaml", CAM1, detector=9, collections="files"), "DatasetNotFoundError"),
            (lambda b: b.get("dict_yaml", CAM1, detector=1, collections="imported_g"), "DatasetNotFoundError"),
            (lambda b: b.get("nothing", CAM1, detector=1, collections="files"), "MissingDatasetTypeError"),
            (lambda b: b.get("dict_yaml", CAM1, detector=1, collections="no_such"), "MissingCollectionError"),
        ):
            self.agree_on_error(question, name)

    def test_default_collections_and_data_id(self):
        butlers = self.both_with(collections=["files"], dataId=CAM1)
        question = lambda butler: content_of(butler.get("dict_yaml", detector=2))  # noqa: E731
        self.agree_on_something(question, **butlers)

    def test_retrieved_artifacts(self):
        for preserve in (True, False):
            with self.subTest(preserve_path=preserve):
                refs = [ref for ref in self.refs if ref.run == "files/put"]
                self.agree_on_something(
                    lambda butler, refs=refs, preserve=preserve: retrieved(butler, refs, preserve)
                )

    def test_permanent_url_of_every_file_leads_to_its_bytes(self):
        for ref in self.refs:
            uris = self.direct.getURIs(ref)
            parts = {None: uris.primaryURI} if uris.primaryURI is not None else uris.componentURIs
            for component, uri in parts.items():
                with self.subTest(dataset=str(ref), component=component):
                    url = f"{self.repository}/v1/dataset/{ref.id}/download"
                    if component is not None:
                        url += f"?component={component}"
                    with urllib.request.urlopen(url) as answer:
                        self.assertEqual(answer.read(), uri.replace(fragment="").read())
                        self.assertEqual(urlsplit(answer.url).fragment, uri.fragment)

    def test_retrieved_artifacts_of_composites(self):
        self.agree_on_something(lambda butler: retrieved(butler, [self.one("metrics_apart")], True))

    def test_retrieved_zip(self):
        refs = [ref for ref in self.refs if ref.datasetType.name.startswith("dict_")]
        with tempfile.TemporaryDirectory() as directory:
            zip_file = self.remote.retrieve_artifacts_zip(refs, directory)
            local = self.local_repository(refs)
            local.ingest_zip(zip_file, transfer="copy")
            for ref in refs:
                self.assertEqual(told(local.get(ref)), told(self.direct.get(ref)))

    def test_transfer_to_a_local_repository(self):
        local = self.local_repository(())
        refs = [ref for ref in self.refs if ref.datasetType.name != "metrics_whole"]
        done = local.transfer_from(
            self.remote, refs, transfer="copy", register_dataset_types=True, transfer_dimensions=True
        )
        self.assertEqual(unordered(ref.id for ref in done), unordered(ref.id for ref in refs))
        for ref in refs:
            with self.subTest(dataset=str(ref)):
                self.assertEqual(content_of(local.get(ref)), content_of(self.direct.get(ref)))

    def test_transfer_of_datasets_found_remotely(self):
        local = self.local_repository(())
        refs = self.remote.query_datasets("dict_json", "files", with_dimension_records=True)
        done = local.transfer_from(self.remote, refs, transfer="copy", register_dataset_types=True, transfer_dimensions=True)
        self.assertEqual(len(done), len(refs))
        self.assertEqual(told(local.get(refs[0])), told(self.direct.get(refs[0])))

    def local_repository(self, refs):
        """Return a new repository that knows the dimension records and types of these datasets."""
        root = self.enterContext(tempfile.TemporaryDirectory())
        storage_classes = {"storageClasses": self.direct._config["storageClasses"]}
        Butler.makeRepo(root, config=storage_classes)
        local = self.enterContext(Butler.from_config(root, writeable=True))
        if refs:
            local.transfer_dimension_records_from(self.direct, refs)
            for dataset_type in {ref.datasetType for ref in refs}:
                local.registry.registerDatasetType(dataset_type)
        return local


class Transfers(Agreement):
    """Transfers need the IDs only."""

    def test_unknown_datasets_are_skipped(self):
        root = self.enterContext(tempfile.TemporaryDirectory())
        Butler.makeRepo(root)
        local = self.enterContext(Butler.from_config(root, writeable=True))
        dataset_type = DatasetType("dict_yaml", ["detector"], "StructuredDataDict", universe=self.direct.dimensions)
        data_id = self.direct.registry.expandDataId(CAM1, detector=1)
        unknown = DatasetRef(dataset_type, data_id, run="nowhere", id=uuid.uuid4())
        done = local.transfer_from(
            self.remote, [unknown], transfer="copy", register_dataset_types=True, transfer_dimensions=True
        )
        self.assertEqual(list(done), [])


def bytes_at(uri):
    """Return what any HTTP client gets."""
    with urllib.request.urlopen(uri.geturl()) as answer:
        return answer.read()


def retrieved(butler, refs, preserve_path):
    """Return the names and contents of retrieved files."""
    with tempfile.TemporaryDirectory() as directory:
        butler.retrieveArtifacts(refs, directory, preserve_path=preserve_path)
        found = {}
        for folder, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as stream:
                    found[os.path.relpath(path, directory)] = stream.read()
        index = found.pop("_retrieval_index.json", None) or found.pop("_butler_zip_index.json", b"")
        return {**found, "index": len(index) > 0}
