"""Run scripts of this directory in processes that begin with everything imported.

Usage: ``host.py SOCKET``. Importing the reference implementation takes longer than most scripts; this program does it
once, and forks for each script. It ends when its standard input does.

A connection to the socket carries one line of JSON, ``{"arguments": [script, …], "environment": {name: value},
"directory", "stdin", "stdout", "stderr"}``, the latter four being paths. It is answered, when the script has ended, by
a line with its exit status, or with minus the number of the signal that ended it. The socket's directory is removed in
the end.
"""

import gc
import json
import os
import runpy
import selectors
import shutil
import socket
import sys

# What the scripts import.
import astropy.time  # noqa: F401
import click.testing  # noqa: F401
import lsst.daf.butler.cli.butler  # noqa: F401
import lsst.daf.butler.direct_query_driver  # noqa: F401
import lsst.daf.butler.remote_butler._factory  # noqa: F401
import lsst.daf.butler.tests  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401


def script(order):
    """Become the process of a script, and run it."""
    for number, (name, flags) in enumerate(
        [("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY)]
    ):
        file = os.open(order[name], flags)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    sys.argv = order["arguments"]
    runpy.run_path(sys.argv[0], run_name="__main__")


def attend(connection):
    """Run what a connection asks for, wait for its end and tell it. Returns in the script's process alone."""
    with connection, connection.makefile("rw") as lines:
        order = json.loads(lines.readline())
        child = os.fork()
        if child:
            lines.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
            lines.flush()
            os._exit(0)
    return order


def main():
    """Run as a command. Returns in processes of scripts, with what is to be run, and does not otherwise."""
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(sys.argv[1])
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        # What is there by now is never garbage, and collecting would copy its pages into every process.
        gc.collect()
        gc.freeze()
        print("ready", flush=True)
        attendants = set()
        while True:
            ready = {key.fileobj for key, _ in selector.select(timeout=1)}
            attendants -= {pid for pid in attendants if os.waitpid(pid, os.WNOHANG)[0]}
            if sys.stdin in ready:
                shutil.rmtree(os.path.dirname(sys.argv[1]))
                sys.exit()
            if listener not in ready:
                continue
            connection, _ = listener.accept()
            attendant = os.fork()
            if not attendant:
                break
            connection.close()
            attendants.add(attendant)
    return attend(connection)


if __name__ == "__main__":
    script(main())
