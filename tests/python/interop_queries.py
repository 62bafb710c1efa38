"""Finding and querying datasets, data IDs and dimension records through a server."""

import itertools
import uuid

import astropy.time
from agreement import Agreement, told, unordered
from canonical import text
from lsst.daf.butler import DataCoordinate, InvalidQueryError, Timespan
from lsst.sphgeom import Angle, Circle, LonLat, Region, UnitVector3d

CAM1 = {"instrument": "Cam1"}
SKY_MAP = {"skymap": "SkyMap1"}


def span(begin, end):
    return Timespan(*(time and astropy.time.Time(time, scale="tai") for time in (begin, end)))


class Finding(Agreement):
    """``find_dataset``."""

    def test_every_dataset_in_every_collection(self):
        refs = self.direct.query_all_datasets(["imported_g", "imported_r", "files"], find_first=False)
        for ref, collections in itertools.product(refs, (["chain"], ["outer"], ["files"], ["empty_run", "tag"])):
            name = ref.datasetType.name
            with self.subTest(dataset=str(ref), collections=collections):
                self.agree(lambda b, r=ref, n=name, c=collections: b.find_dataset(n, r.dataId, collections=c))

    def test_calibrations_by_validity_range(self):
        spans = [None, span("2019-01-01", "2019-01-02"), span("2020-02-01", "2020-02-02"), span("2020-08-01", None)]
        for name, detector, timespan in itertools.product(("bias", "flat"), (2, 3), spans):
            data_id = {**CAM1, "detector": detector}
            if name == "flat":
                data_id["physical_filter"] = "Cam1-G"
            with self.subTest(dataset_type=name, detector=detector, timespan=str(timespan)):
                self.agree(
                    lambda b, n=name, d=data_id, t=timespan: b.find_dataset(n, d, collections="calibs", timespan=t)
                )

    def test_ambiguous_calibration(self):
        whole = span("2000-01-01", "2030-01-01")
        self.agree_on_error(
            lambda b: b.find_dataset("bias", CAM1, detector=2, collections="calibs", timespan=whole),
            "CalibrationLookupError",
        )

    def test_dimension_records_and_other_forms(self):
        for options in ({"dimension_records": True}, {"storage_class": "StructuredDataDict"}):
            with self.subTest(options=options):
                self.agree_on_something(
                    lambda b, o=options: b.find_dataset("dict_yaml", CAM1, detector=1, collections="files", **o)
                )
        self.agree_on_something(lambda b: b.find_dataset("metrics_apart.output", CAM1, collections="files"))

    def test_data_ids_by_other_names(self):
        for data_id in (
            {**CAM1, "detector.full_name": "Aa"},
            {**CAM1, "full_name": "Aa"},
            {**CAM1, "raft": "A", "name_in_raft": "b"},
            {**CAM1, "detector": "1"},
        ):
            with self.subTest(data_id=data_id):
                self.agree(lambda b, d=data_id: b.find_dataset("bias", d, collections="imported_g"))

    def test_defaults(self):
        butlers = self.both_with(collections=["imported_r", "imported_g"], dataId=CAM1)
        self.agree_on_something(lambda b: b.find_dataset("bias", detector=3), **butlers)
        self.agree(lambda b: b.find_dataset("bias", detector=4), **butlers)

    def test_mistakes(self):
        for question in (
            lambda b: b.find_dataset("nothing", CAM1, detector=1, collections="tag"),
            lambda b: b.find_dataset("bias", CAM1, detector=1, collections="no_such"),
            lambda b: b.find_dataset("bias", CAM1, detector=1),
            lambda b: b.find_dataset("bias", CAM1, collections="tag"),
            lambda b: b.find_dataset("bias", detector=1, collections="tag"),
            lambda b: b.find_dataset("bias", CAM1, detector="one", collections="tag"),
            lambda b: b.find_dataset("bias", CAM1, detector=1, nothing=2, collections="tag"),
        ):
            self.agree_on_an_error(question)
        self.agree(lambda b: b.find_dataset("bias", CAM1, detector=99, collections="tag"))


class SimpleQueries(Agreement):
    """``query_datasets``, ``query_data_ids``, ``query_dimension_records``, ``query_all_datasets``."""

    def test_datasets(self):
        for options in (
            {},
            {"find_first": False},
            {"with_dimension_records": True, "order_by": ["-detector"]},
            {"where": "detector IN (1..3)", "order_by": "detector", "limit": 2},
            {"where": "detector.purpose = :kind", "bind": {"kind": "SCIENCE"}},
            {"where": "detector IN (:chosen)", "bind": {"chosen": [1, 4]}},
            {"data_id": {**CAM1, "detector": 2}},
            {"where": "GLOB(full_name, 'A*')"},
            {"where": "bias.run = 'imported_g'"},
        ):
            with self.subTest(options=options):
                self.agree_on_something(
                    lambda b, o=options: rows(b.query_datasets("bias", ["tag", "imported_r", "imported_g"], **CAM1, **o), o)
                )

    def test_datasets_of_chains_and_calibrations(self):
        for collections, first in ((["chain"], True), (["calibs"], False), (["outer"], False)):
            with self.subTest(collections=collections):
                self.agree_on_something(
                    lambda b, c=collections, f=first: unordered(b.query_datasets("bias", c, find_first=f))
                )

    def test_data_ids(self):
        for dimensions, options in (
            (["detector"], CAM1),
            (["visit", "detector"], {**CAM1, "with_dimension_records": True}),
            (["visit", "tract"], {**CAM1, **SKY_MAP}),
            (["visit", "detector", "patch"], {**CAM1, **SKY_MAP, "order_by": ["visit", "detector", "patch"], "limit": 7}),
            (["band"], {}),
            (["htm7", "visit"], CAM1),
            (["patch"], {"where": "patch.cell_x > 0 AND skymap = 'SkyMap1'"}),
            (["visit"], {**CAM1, "where": "visit.exposure_time > :t", "bind": {"t": 10.0}}),
        ):
            with self.subTest(dimensions=dimensions, options=options):
                self.agree_on_something(lambda b, d=dimensions, o=options: rows(b.query_data_ids(d, **o), o))

    def test_dimension_records(self):
        for element, options in (
            ("instrument", {}),
            ("detector", {**CAM1, "order_by": "-full_name", "limit": 3}),
            ("visit", CAM1),
            ("patch", {**SKY_MAP, "where": "tract = 1"}),
            ("visit_detector_region", CAM1),
            ("physical_filter", {"where": "band = 'r'", **CAM1}),
            ("band", {}),
            ("skymap", {}),
        ):
            with self.subTest(element=element, options=options):
                self.agree_on_something(lambda b, e=element, o=options: rows(b.query_dimension_records(e, **o), o))

    def test_datasets_of_all_types(self):
        for collections, options in (
            (["imported_*"], {"find_first": False}),
            (["files", "chain"], {"find_first": True}),
            (["files"], {"name": ["dict_*", "an_int"]}),
            (["chain"], {"name": "bias", "where": "detector > :d", "bind": {"d": 2}, **CAM1}),
            (["outer"], {"find_first": False, "limit": None}),
        ):
            with self.subTest(collections=collections, options=options):
                self.agree_on_something(
                    lambda b, c=collections, o=options: rows(b.query_all_datasets(c, **o), o)
                )
        self.agree_on_something(lambda b: len(b.query_all_datasets("files", limit=4)))

    def test_time_and_space_in_conditions(self):
        circle = Circle(UnitVector3d(LonLat.fromDegrees(10.0, 1.0)), Angle.fromDegrees(2.0))
        for dimensions, where, bind in (
            (["visit"], "visit.region OVERLAPS :region", {"region": circle}),
            (["patch"], "patch.region OVERLAPS POINT(10.0, 1.0)", {}),
            (["visit"], "visit.timespan OVERLAPS (T'2021-09-09T00:00:00', T'2021-09-10T00:00:00')", {}),
            (["visit"], "visit.timespan.begin > T'2021-01-01T00:00:00'", {}),
        ):
            with self.subTest(where=where):
                self.agree(
                    lambda b, d=dimensions, w=where, i=bind: unordered(
                        b.query_data_ids(d, where=w, bind=i, explain=False, **CAM1, **SKY_MAP)
                    )
                )

    def test_nothing_is_explained(self):
        for question in (
            lambda b: b.query_datasets("bias", "empty_run"),
            lambda b: b.query_datasets("bias", "imported_g", where="detector = 99", **CAM1),
            lambda b: b.query_data_ids(["detector"], where="detector = 99", **CAM1),
            lambda b: b.query_dimension_records("detector", where="full_name = 'none'", **CAM1),
        ):
            self.agree_on_error(question, "EmptyQueryResultError")

    def test_mistakes(self):
        for question, name in (
            (lambda b: b.query_datasets("nothing", "tag"), "MissingDatasetTypeError"),
            (lambda b: b.query_datasets("bias", "no_such"), "MissingCollectionError"),
            (lambda b: b.query_datasets("bias"), "NoDefaultCollectionError"),
            (lambda b: b.query_data_ids(["nothing"]), None),
            (lambda b: b.query_data_ids(["detector"], where="nothing = 1", **CAM1), "InvalidQueryError"),
            (lambda b: b.query_data_ids(["detector"], where="detector = 'x'", **CAM1), "InvalidQueryError"),
            (lambda b: b.query_data_ids(["detector"], where="detector = ", **CAM1), None),
            (lambda b: b.query_data_ids(["detector"], order_by="nothing", **CAM1), "InvalidQueryError"),
            (lambda b: b.query_dimension_records("nothing"), None),
            (lambda b: b.query_all_datasets("no_such"), "MissingCollectionError"),
            (lambda b: b.query_all_datasets("chain", name="nothing"), None),
            (lambda b: b.query_all_datasets("chain", where="nothing = 1"), "InvalidQueryError"),
        ):
            if name is None:
                self.agree_on_an_error(question)
            else:
                self.agree_on_error(question, name)


class Queries(Agreement):
    """``Butler.query``."""

    def ask(self, question):
        """Assert that a question about a new query has the same answer, and return that."""

        def asked(butler):
            with butler.query() as query:
                return question(query)

        return self.agree_on_something(asked)

    def test_general_results(self):
        self.ask(
            lambda q: unordered(
                q.join_dataset_search("bias", "imported_g").general(
                    ["detector"], "detector.full_name", "bias.run", "bias.dataset_id", find_first=False
                )
            )
        )
        self.ask(
            lambda q: unordered(
                q.where(CAM1).general(["visit"], dimension_fields={"visit": {"timespan", "region", "name"}})
            )
        )

    def test_general_results_as_tuples(self):
        def tuples(query):
            search = query.join_dataset_search("bias", ["imported_g", "imported_r"]).where(CAM1)
            found = search.general(
                ["detector"], dimension_fields={"detector": {"purpose"}}, dataset_fields={"bias": ...}, find_first=True
            ).with_dimension_records()
            bias = query._driver.get_dataset_type("bias")
            return sorted(([told(row.data_id), told(row.refs)] for row in found.iter_tuples(bias)), key=text)

        self.ask(tuples)

    def test_counts(self):
        for exact, discard in itertools.product((True, False), (True, False)):
            with self.subTest(exact=exact, discard=discard):
                self.ask(lambda q, e=exact, d=discard: q.datasets("bias", "chain").count(exact=e, discard=d))
                self.ask(lambda q, d=discard: q.where(CAM1, SKY_MAP).data_ids(["visit", "tract"]).count(exact=True, discard=True))

    def test_any(self):
        for execute, exact in ((True, True), (True, False), (False, False)):
            with self.subTest(execute=execute, exact=exact):
                self.agree(lambda b, x=execute, e=exact: any_of(b, "detector = 99", x, e))
                self.agree(lambda b, x=execute, e=exact: any_of(b, "detector = 1", x, e))
        self.agree_on_error(lambda b: any_of(b, "detector = 1", False, True), "InvalidQueryError")

    def test_explanations(self):
        def explained(butler, where, execute):
            with butler.query() as query:
                results = query.where(CAM1, where).datasets("bias", ["empty_run"])
                return len(list(results.explain_no_results(execute=execute))) > 0

        for where, execute in itertools.product(("detector = 99", "detector = 1"), (True, False)):
            self.agree(lambda b, w=where, x=execute: explained(b, w, x))

    def test_uploaded_data_ids(self):
        def uploaded(butler):
            with butler.query() as query:
                data_ids = [butler.registry.expandDataId(CAM1, detector=d).subset(["detector"]) for d in (1, 3)]
                joined = query.join_data_coordinates(data_ids)
                return unordered(joined.datasets("bias", "chain"))

        self.agree_on_something(uploaded)

    def test_materialized_queries(self):
        def materialized(query):
            kept = query.where(CAM1, "detector < 3").join_dataset_search("bias", "chain").materialize()
            return unordered(kept.datasets("bias", "chain"))

        self.ask(materialized)

    def test_expressions(self):
        def expressed(query):
            x = query.expression_factory
            where = x.any(x.detector == 1, x.all(x.detector.purpose == "WAVEFRONT", x.not_(x.detector > 9)))
            results = query.where(CAM1).where(where).dimension_records("detector")
            return told(list(results.order_by(x.detector.full_name.desc).limit(5)))

        self.ask(expressed)

    def test_regions_overlap(self):
        def overlapping(query):
            region = next(iter(query.where(CAM1).dimension_records("visit"))).region
            assert isinstance(region, Region)
            x = query.expression_factory
            return unordered(query.where(SKY_MAP, x.patch.region.overlaps(region)).data_ids(["patch"]))

        self.ask(overlapping)

    def test_large_results_come_in_pages(self):
        self.ask(lambda q: len(list(q.where(CAM1).data_ids(["visit", "htm7"]))))

    def test_iteration_can_stop_early(self):
        def first(butler):
            with butler.query() as query:
                return told(next(iter(query.where(CAM1).data_ids(["visit", "detector"]).order_by("visit", "detector"))))

        for _ in range(40):
            self.agree_on_something(first)

    def test_too_many_uploaded_rows(self):
        detector = self.remote.dimensions.conform(["detector"])
        data_ids = [DataCoordinate.from_required_values(detector, ("Cam1", number)) for number in range(100_001)]
        with self.remote.query() as query, self.assertRaisesRegex(InvalidQueryError, "data coordinate rows"):
            query.join_data_coordinates(data_ids).data_ids(["detector"]).any()


def any_of(butler, where, execute, exact):
    with butler.query() as query:
        return query.where(CAM1, where).datasets("bias", "chain").any(execute=execute, exact=exact)


def rows(found, options):
    """Return what a query has found, sorted unless its order is defined."""
    return told(found) if "order_by" in options else unordered(found)
