"""Print, as JSON, what the Python package reads from export files.

The files are those given as arguments, else the package's own. There is one row for each file:
its path, the package's view of its content, and a file that the package has written from that.
"""

import io
import json
import sys
import warnings
from pathlib import Path

import lsst.daf.butler.tests.registry_data as data
from lsst.daf.butler import DimensionUniverse, YamlRepoExportBackend, YamlRepoImportBackend

warnings.simplefilter("ignore")
UNIVERSE = DimensionUniverse()


class Registry:
    def queryDimensionRecords(self, element):
        return []


class Butler:
    dimensions = UNIVERSE
    registry = Registry()
    known = {}

    def get_dataset_type(self, name):
        return self.known[name]


rows = []
for path in sys.argv[1:] or sorted(Path(data.__file__).parent.glob("*.yaml")):
    with open(path) as stream:
        backend = YamlRepoImportBackend(stream, Butler())
    Butler.known.update({t.name: t for t in backend.datasetTypes})
    # Days that old files do not define come out of a set.
    if "day_obs" in {element.name for element in backend.dimensions}:
        backend.dimensions[UNIVERSE["day_obs"]].sort(key=lambda r: (r.instrument, r.id))
    records = {
        element.name: [r.serialize_key_value() for r in backend.dimensions[element]]
        for element in UNIVERSE.sorted(backend.dimensions.keys())
    }
    datasets = [
        [name, run, [[f.path, [[str(r.id), dict(r.dataId.mapping)] for r in f.refs]] for f in files]]
        for (name, run), files in backend.datasets.items()
    ]
    stream = io.StringIO()
    writer = YamlRepoExportBackend(stream, UNIVERSE)
    for element, values in backend.dimensions.items():
        writer.saveDimensionData(element, *values)
    for (name, run), files in backend.datasets.items():
        for file in files:
            file.formatter = "lsst.daf.butler.formatters.json.JsonFormatter"
        writer.saveDatasets(backend.datasetTypes.get(name) or Butler.known[name], run, *files)
    writer.finish()
    rows.append(
        {
            "path": str(path),
            "records": records,
            "dataset_types": [t.to_simple().model_dump() for t in backend.datasetTypes],
            "runs": list(backend.runs),
            "datasets": datasets,
            "written": stream.getvalue(),
        }
    )
json.dump(rows, sys.stdout)
