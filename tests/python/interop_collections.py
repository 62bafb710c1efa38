"""Collections, dataset types and the rest of the registry through a server, and whether it sees what others write."""

import inspect
import itertools
import uuid

import astropy.time
from agreement import Agreement, told, unordered
from lsst.daf.butler import CollectionType, DatasetType, Timespan

CAM1 = {"instrument": "Cam1"}
EXPRESSIONS = ["*", "imported_*", "outer", ["chain", "calibs"], ["files*", "tag"], "empty_chain", []]
TYPES = [None, CollectionType.RUN, {CollectionType.CHAINED, CollectionType.TAGGED}, set(CollectionType)]


class Collections(Agreement):
    """``Butler.collections``."""

    def test_query(self):
        flags = itertools.product(EXPRESSIONS, TYPES, (False, True), (False, True, None))
        for expression, types, flatten, chains in flags:
            with self.subTest(expression=expression, types=types, flatten=flatten, include_chains=chains):
                self.agree(
                    lambda butler, e=expression, t=types, f=flatten, c=chains: in_order(
                        butler.collections.query(e, collection_types=t, flatten_chains=f, include_chains=c), e
                    )
                )

    def test_query_info(self):
        for expression, flatten, more in itertools.product(EXPRESSIONS, (False, True), (False, True)):
            with self.subTest(expression=expression, flatten=flatten, more=more):
                self.agree(
                    lambda butler, e=expression, f=flatten, m=more: in_order(
                        butler.collections.query_info(
                            e, flatten_chains=f, include_parents=m, include_summary=m, include_doc=m
                        ),
                        e,
                    )
                )

    def test_query_info_of_chosen_types_of_datasets(self):
        self.agree_on_something(
            lambda butler: unordered(
                butler.collections.query_info("*", include_summary=True, summary_datasets=["bias"])
            )
        )

    def test_get_info(self):
        for name in self.direct.collections.query("*"):
            with self.subTest(collection=name):
                self.agree_on_something(
                    lambda butler, name=name: butler.collections.get_info(
                        name, include_parents=True, include_summary=True
                    )
                )

    def test_unknown_collection(self):
        self.agree_on_error(lambda butler: butler.collections.get_info("no_such"), "MissingCollectionError")
        self.agree_on_error(lambda butler: butler.collections.query("no_such"), "MissingCollectionError")
        self.agree(lambda butler: butler.collections.query("no_such*"))

    def test_defaults(self):
        self.agree_on_something(
            lambda butler: list(butler.collections.defaults), **self.both_with(collections=["imported_g", "tag"])
        )


class Registry(Agreement):
    """``Butler.registry`` and the dataset types."""

    def test_dataset_types(self):
        for name in [t.name for t in self.direct.registry.queryDatasetTypes()]:
            with self.subTest(dataset_type=name):
                self.agree_on_something(lambda butler, name=name: butler.get_dataset_type(name))
                self.agree_on_something(lambda butler, name=name: butler.registry.getDatasetType(name))

    def test_unknown_dataset_type(self):
        self.agree_on_error(lambda butler: butler.get_dataset_type("nothing"), "MissingDatasetTypeError")

    def test_component_dataset_type(self):
        self.agree_on_something(lambda butler: butler.get_dataset_type("metrics_apart.summary"))

    def test_dataset_types_by_expression(self):
        for expression in ("*", "dict_*", ["bias", "arrow_*"], ["bias", "nothing"], ["nothing*"]):
            with self.subTest(expression=expression):
                self.agree(lambda butler, e=expression: dataset_types(butler, e))

    def test_collections(self):
        for name in self.direct.collections.query("*"):
            with self.subTest(collection=name):
                for question in (
                    lambda r, name=name: r.getCollectionType(name).name,
                    lambda r, name=name: r.getCollectionDocumentation(name),
                    lambda r, name=name: r.getCollectionParentChains(name),
                    lambda r, name=name: r.getCollectionSummary(name),
                ):
                    self.agree(lambda butler, question=question: question(butler.registry))
        for name in ("outer", "chain", "empty_chain", "files"):
            self.agree(lambda butler, name=name: list(butler.registry.getCollectionChain(name)))

    def test_collections_by_expression(self):
        for expression in ("*", "imported_*", ["outer", "tag"], "empty_chain"):
            for flatten in (False, True):
                with self.subTest(expression=expression, flatten=flatten):
                    self.agree(
                        lambda butler, e=expression, f=flatten: sorted(
                            butler.registry.queryCollections(e, flattenChains=f)
                        )
                    )

    def test_datasets_by_id(self):
        refs = self.direct.query_all_datasets(["imported_g", "files"], find_first=False)
        for ref in refs:
            with self.subTest(dataset=str(ref)):
                self.agree_on_something(lambda butler, ref=ref: butler.get_dataset(ref.id))
                self.agree_on_something(lambda butler, ref=ref: butler.registry.getDataset(ref.id))
        self.agree_on_something(lambda butler: butler.get_dataset(refs[0].id, dimension_records=True))
        self.agree_on_something(lambda butler: butler.get_dataset(str(refs[0].id)))
        self.agree(lambda butler: butler.get_dataset(uuid.UUID(int=7)))
        self.agree_on_something(
            lambda butler: unordered(butler.get_many_datasets([*(r.id for r in refs), uuid.UUID(int=7)]))
        )
        self.agree(lambda butler: butler.get_many_datasets([]))

    def test_dataset_by_id_in_another_storage_class(self):
        ref = self.direct.query_datasets("arrow_astropy", "files")[0]
        self.agree_on_something(lambda butler: butler.get_dataset(ref.id, storage_class="ArrowTable"))

    def test_expanded_data_ids(self):
        for data_id in (
            {**CAM1, "detector": 1},
            {**CAM1, "visit": 1, "detector": 2},
            {"skymap": "SkyMap1", "tract": 0, "patch": 3},
            {**CAM1, "physical_filter": "Cam1-G"},
            {"htm7": 222_222},
            {},
        ):
            with self.subTest(data_id=data_id):
                self.agree_on_something(lambda butler, d=data_id: butler.registry.expandDataId(d))

    def test_data_ids_that_cannot_be_expanded(self):
        for data_id, name in (
            ({**CAM1, "detector": 99}, "DataIdValueError"),
            ({"instrument": "Cam9"}, "DataIdValueError"),
            ({"detector": 1}, "DimensionNameError"),
            ({**CAM1, "physical_filter": "Cam1-G", "band": "r"}, "InconsistentDataIdError"),
        ):
            with self.subTest(data_id=data_id):
                self.agree_on_error(lambda butler, d=data_id: butler.registry.expandDataId(d), name)

    def test_associations(self):
        for name, collections in (("bias", ["outer"]), ("flat", ["calibs"]), ("bias", ["imported_g", "tag"])):
            with self.subTest(dataset_type=name, collections=collections):
                self.agree_on_something(
                    lambda butler, n=name, c=collections: unordered(
                        butler.registry.queryDatasetAssociations(n, c, flattenChains=True)
                    )
                )

    def test_queries(self):
        for question in (
            lambda r: r.queryDatasets("bias", collections=["imported_g", "imported_r"]),
            lambda r: r.queryDatasets("bias", collections=["imported_g", "imported_r"], findFirst=True),
            lambda r: r.queryDatasets("flat", collections="imported_g", where="band = 'g' AND detector < 4", **CAM1),
            lambda r: r.queryDataIds(["visit", "detector"], **CAM1),
            lambda r: r.queryDataIds(["tract", "visit"], where="skymap = 'SkyMap1'", **CAM1),
            lambda r: r.queryDataIds(["detector"], datasets="bias", collections="imported_r", **CAM1),
            lambda r: r.queryDataIds(["patch"]).expanded(),
            lambda r: r.queryDimensionRecords("detector", where="purpose = 'WAVEFRONT'", **CAM1),
            lambda r: r.queryDimensionRecords("patch", where="tract = 0 AND skymap = 'SkyMap1'"),
        ):
            with self.subTest(question=inspect.getsource(question).strip()):
                self.agree_on_something(lambda butler, q=question: unordered(q(butler.registry)))

    def test_found_datasets(self):
        self.agree_on_something(lambda b: b.registry.findDataset("bias", CAM1, detector=3, collections="chain"))
        self.agree(lambda b: b.registry.findDataset("bias", CAM1, detector=1, collections="empty_run"))


class Freshness(Agreement):
    """What another process has just written is there for the next request."""

    def test_new_collection_dataset_type_records_and_datasets_are_seen(self):
        name, butler = f"fresh_{uuid.uuid4().hex[:8]}", self.direct
        run = f"run_{name}"
        self.agree_on_error(lambda b: b.collections.get_info(run), "MissingCollectionError")
        self.agree_on_error(lambda b: b.get_dataset_type(name), "MissingDatasetTypeError")
        butler.collections.register(run)
        self.agree_on_something(lambda b: b.collections.get_info(run))
        butler.registry.registerDatasetType(
            DatasetType(name, ["detector"], "StructuredDataDict", universe=butler.dimensions)
        )
        self.agree_on_something(lambda b: b.get_dataset_type(name))
        self.agree(lambda b: b.query_datasets(name, run, explain=False))
        detector = uuid.uuid4().int % 100_000 + 1000
        butler.registry.insertDimensionData(
            "detector", {**CAM1, "id": detector, "full_name": f"D{detector}", "purpose": "TEST"}
        )
        self.agree_on_something(lambda b: b.registry.expandDataId(CAM1, detector=detector))
        (ref,) = butler.registry.insertDatasets(name, [{**CAM1, "detector": detector}], run=run)
        self.agree_on_something(lambda b: b.query_datasets(name, run, with_dimension_records=True))
        self.agree_on_something(lambda b: b.get_dataset(ref.id))
        self.agree_on_something(lambda b: b.find_dataset(name, CAM1, detector=detector, collections=run))
        butler.pruneDatasets([ref], purge=True, unstore=True, disassociate=True)
        self.agree(lambda b: b.get_dataset(ref.id))
        self.agree(lambda b: b.find_dataset(name, CAM1, detector=detector, collections=run))
        butler.removeRuns([run])
        self.agree_on_error(lambda b: b.collections.get_info(run), "MissingCollectionError")

    def test_changed_chains_and_validity_ranges_are_seen(self):
        name, butler = f"fresh_{uuid.uuid4().hex[:8]}", self.direct
        chain, calibs = f"chain_{name}", f"calibs_{name}"
        times = [astropy.time.Time(f"2022-0{month}-01T00:00:00", scale="tai") for month in (1, 2, 3)]
        butler.collections.register(chain, CollectionType.CHAINED)
        butler.collections.register(calibs, CollectionType.CALIBRATION)
        for children in (["imported_g"], ["imported_r", "imported_g"], []):
            butler.collections.redefine_chain(chain, children)
            self.agree(lambda b: b.find_dataset("bias", CAM1, detector=2, collections=chain))
        refs = butler.query_datasets("bias", "imported_g")
        question = lambda b: b.find_dataset(  # noqa: E731
            "bias", CAM1, detector=2, collections=calibs, timespan=Timespan(times[0], times[1])
        )
        self.assertIsNone(self.agree(question))
        butler.registry.certify(calibs, refs, Timespan(times[0], times[2]))
        self.agree_on_something(question)
        butler.registry.decertify(calibs, "bias", Timespan(times[0], times[2]))
        self.assertIsNone(self.agree(question))
        butler.registry.removeCollection(chain)
        butler.registry.removeCollection(calibs)


def in_order(found, expression):
    """Return what was found; patterns define no order."""
    return unordered(found) if "*" in str(expression) else told(found)


def dataset_types(butler, expression):
    missing = []
    found = butler.registry.queryDatasetTypes(expression, missing=missing)
    return [unordered(found), sorted(missing)]
