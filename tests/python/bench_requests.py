"""Tell which requests the reference's client sends for the operations that the server benchmark measures.

Usage: ``bench_requests.py URL``, the URL of a repository on a server, with the document of ``repository.rs`` of that
benchmark on standard input. Prints ``{operation: [{"method", "path", "body"}]}``; paths are below that URL.
"""

import json
import logging
import sys
import warnings

from canonical import show
from lsst.daf.butler.remote_butler._factory import RemoteButlerFactory

VARIANTS = 50


class Recorder:
    """A butler of which the requests are remembered."""

    def __init__(self, url):
        self._url = url
        factory = RemoteButlerFactory.create_factory_for_url(url)
        factory.http_client.event_hooks["request"].append(self._note)
        self._seen = []
        self.butler = factory.create_butler_for_access_token("a-token")
        # What a new client fetches once is no part of an operation.
        _ = self.butler.dimensions
        self.butler.get_dataset_type("image")
        self.butler.get_dataset_type("coadd")

    def _note(self, request):
        body = request.read()
        path = str(request.url).removeprefix(self._url + "/")
        self._seen.append(
            {"method": request.method, "path": path, "body": json.loads(body) if body else None}
        )

    def requests(self, operations):
        """Do all of this and return the requests, one for each."""
        self._seen = []
        for operation in operations:
            before = len(self._seen)
            operation(self.butler)
            del self._seen[before : len(self._seen) - 1]
        return self._seen


def count(butler, where):
    with butler.query() as query:
        query.where(where, instrument="Bench").datasets("image", "bench/all").count()


def stream(butler, where):
    with butler.query() as query:
        # The request is what matters, not its rows.
        next(iter(query.where(where, instrument="Bench").datasets("image", "bench/all")))


def operations(document):
    collections = document["collections"]
    sample = document["sample"]
    first, visits = document["first_visit"], document["visits"]
    step = max(1, visits // VARIANTS)
    length = min(visits, 1000)
    starts = [first + i * (visits - length) // 5 for i in range(5)]

    def data_id(member):
        return {"instrument": "Bench", "visit": member["visit"], "detector": member["detector"]}

    return {
        "dataset/{id}": [lambda b, m=m: b.get_dataset(m["id"]) for m in sample],
        "get_file": [lambda b, m=m: b._get_file_info_for_ref(Reference(m["id"])) for m in sample],
        "find_dataset": [
            lambda b, m=m: b.find_dataset("image", data_id(m), collections=collections) for m in sample
        ],
        "get_file_by_data_id": [
            lambda b, m=m: b._get_file_info("image", data_id(m), collections, None, {}) for m in sample
        ],
        "query of 100 refs": [
            lambda b, v=v: b.query_datasets("image", collections, where=f"visit = {v}", instrument="Bench")
            for v in range(first, first + step * VARIANTS, step)
        ],
        "query around a point": [
            lambda b, p=p: b.query_datasets(
                "coadd",
                collections,
                where=f"patch.region OVERLAPS POINT({p[0]}, {p[1]}) AND band = 'r'",
                skymap="bench",
                explain=False,
            )
            for p in document["points"]
        ],
        "count": [lambda b, d=d: count(b, f"detector = {d}") for d in range(min(VARIANTS, document["detectors"]))],
        "stream of 100,000 refs": [
            lambda b, v=v: stream(b, f"visit >= {v} AND visit < {v + length}") for v in starts
        ],
    }


class Reference:
    """As much of a dataset reference as a request for its file needs."""

    def __init__(self, dataset_id):
        self.id = dataset_id


def main():
    """Run as a command."""
    recorder = Recorder(sys.argv[1])
    document = json.load(sys.stdin)
    show({name: recorder.requests(wanted) for name, wanted in operations(document).items()})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
