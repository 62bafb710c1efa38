"""Tell the version of the reference implementation, and what this script was given.

Prints ``{"arguments": [...], "input": ..., "version": "..."}``; with ``--read URI`` also the text found there, as
``"content"``. With ``--fail`` it fails.
"""

import json
import sys
from importlib.metadata import version

from lsst.resources import ResourcePath

arguments = sys.argv[1:]
if "--fail" in arguments:
    sys.exit("asked to fail")
text = sys.stdin.read()
answer = {"arguments": arguments, "input": json.loads(text) if text else None, "version": version("lsst-daf-butler")}
if "--read" in arguments:
    answer["content"] = ResourcePath(arguments[arguments.index("--read") + 1]).read().decode()
print(json.dumps(answer))
