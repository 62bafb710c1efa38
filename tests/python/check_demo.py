"""Reads the demo's repository with the reference and its images with astropy.

Argument: the repository. Prints {"problems": [text...], "visits": n, "expired": n}.
"""

import json
import random
import sys

from astropy.io import fits
from astropy.wcs import WCS
from lsst.daf.butler import Butler
from lsst.sphgeom import LonLat, UnitVector3d

problems = []
IMAGES = {
    "raw": None,
    "bias": None,
    "flat": None,
    "preliminary_visit_image": "visit_detector_region",
    "difference_image": "visit_detector_region",
    "template_coadd": "patch",
}


def check_image(butler, ref, element):
    path = butler.getURI(ref).ospath
    with fits.open(path) as hdus:
        hdus.verify("exception")
        hdu = hdus[0]
        if hdu.data.std() == 0:
            problems.append(f"{ref}: nothing but one value")
        if element is None:
            return
        wcs = WCS(hdu.header)
        rows, columns = hdu.data.shape
        region = ref.dataId.records[element].region
        # A little within the corners, and a little outside.
        for inset, inside in ((0.01, True), (-0.01, False)):
            for x in (-0.5 + inset * columns, columns - 0.5 - inset * columns):
                for y in (-0.5 + inset * rows, rows - 0.5 - inset * rows):
                    point = wcs.pixel_to_world(x, y)
                    place = UnitVector3d(LonLat.fromDegrees(point.ra.deg, point.dec.deg))
                    if region.contains(place) != inside:
                        problems.append(f"{ref}: {point} is {'not ' if inside else ''}in the region")


with Butler.from_config(sys.argv[1], collections="Prompt/Available") as butler:
    picker = random.Random(1)
    for name, element in IMAGES.items():
        with butler.query() as query:
            found = list(query.datasets(name, collections="Prompt/Available").with_dimension_records()
                         if name not in ("bias", "flat") else
                         butler.query_datasets(name, collections="LSSTCam/calib/DM-53001/*", find_first=False))
        for ref in picker.sample(found, 5):
            check_image(butler, ref, element)
    for name in ("preliminary_visit_summary", "dia_source_detector"):
        for ref in picker.sample(butler.query_datasets(name), 5):
            contents = butler.get(ref)
            if name == "preliminary_visit_summary" and contents["visit"] != ref.dataId["visit"]:
                problems.append(f"{ref}: {contents}")
            if name == "dia_source_detector":
                with butler.query() as query:
                    (record,) = query.dimension_records("visit_detector_region").where(ref.dataId)
                for row in contents:
                    place = UnitVector3d(LonLat.fromDegrees(row["ra"], row["dec"]))
                    if not record.region.contains(place):
                        problems.append(f"{ref}: {row} is outside")
    visit = butler.query_dimension_records("visit", limit=1)[0]
    for name, values in (("bias", {}), ("flat", {"physical_filter": "r_57"})):
        valid = butler.find_dataset(name, instrument="LSSTCam", detector=94, timespan=visit.timespan, **values)
        if valid is None:
            problems.append(f"no {name} is valid at {visit.timespan}")
    expired = [
        ref
        for name in ("difference_image", "dia_source_detector")
        for ref in butler.query_datasets(name, collections="Prompt/Outputs/Expired")
    ]
    if any(butler.stored_many(expired).values()):
        problems.append("an expired dataset has files")
    visits = len(butler.query_dimension_records("visit"))
    print(json.dumps({"problems": problems, "visits": visits, "expired": len(expired)}))
