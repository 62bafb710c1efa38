"""Run ``butler`` commands on a repository.

Usage: ``commands.py REPO [--exact]``, with a list of command lines on standard input, each a list of words of which
``REPO`` stands for the repository. Prints a list of ``{"status", "output"}`` in the same order; in the output, too,
the repository is ``REPO``, and runs of blanks and dashes are as short as can be, since the width of columns depends on
it. With ``--exact`` the output is left as it is.
"""

import json
import logging
import re
import sys
import warnings

from canonical import show
from click.testing import CliRunner
from lsst.daf.butler.cli.butler import cli


def run(repo, words, exact):
    done = CliRunner().invoke(cli, [repo if word == "REPO" else word for word in words])
    output = done.output if exact else done.output.replace(repo, "REPO")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        output += repr(done.exception)
    if not exact:
        output = re.sub("--+", "--", re.sub("  +", " ", output))
    return {"status": done.exit_code, "output": output}


def main():
    """Run as a command."""
    repo, exact = sys.argv[1], "--exact" in sys.argv
    show([run(repo, words, exact) for words in json.load(sys.stdin)])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
