"""A Butler server in a process of its own, for as long as a test needs it.

``BUTLER_TEST_SERVER`` is the program; without it, it is the reference implementation's, in a fork of this process (which
has imported what it needs: a new interpreter would take seconds for each repository).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import reference_server
from lsst.daf.butler.remote_butler._factory import RemoteButlerFactory

START_LIMIT = 120.0
"""Seconds until a server that does not answer has failed."""


def environment(repositories, authentication):
    """Return the variables of a server of these repositories, roots by label, that asks nobody for rights."""
    return {
        "DAF_BUTLER_SERVER_REPOSITORIES": json.dumps(
            {label: {"config_uri": root, "authorized_groups": ["*"]} for label, root in repositories.items()}
        ),
        "DAF_BUTLER_SERVER_GAFAELFAWR_URL": "DISABLED",
        "DAF_BUTLER_SERVER_AUTHENTICATION": authentication,
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ServerProcess:
    """A server of some repositories, from its first answer on."""

    def __init__(self, repositories, authentication="rubin_science_platform"):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        variables = environment(repositories, authentication)
        program = os.environ.get("BUTLER_TEST_SERVER")
        if program:
            variables["DAF_BUTLER_SERVER_LISTEN"] = f"127.0.0.1:{port}"
            quiet = {"DAF_BUTLER_SERVER_LOG_LEVEL": "warn"}
            self._child = subprocess.Popen([program], env={**os.environ, **quiet, **variables}, stdout=sys.stderr)
            self._pid = self._child.pid
        else:
            self._child = None
            self._pid = os.fork()
            if self._pid == 0:
                os.environ.update(variables)
                # What it logs is no part of what this process prints.
                os.dup2(2, 1)
                try:
                    reference_server.serve(port, forgetful=True)
                finally:
                    os._exit(1)
        self._wait()

    def repository(self, label):
        """Return the URL of a repository."""
        return f"{self.url}/api/butler/repo/{label}"

    def remote_butler(self, label, **options):
        """Return a RemoteButler, with what goes to its factory's ``create_butler_for_access_token``."""
        factory = RemoteButlerFactory.create_factory_for_url(self.repository(label))
        return factory.create_butler_for_access_token("a-token", **options)

    def stop(self):
        """End the process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        if self._child is not None:
            self._child.wait()
        else:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _ended(self):
        if self._child is not None:
            return self._child.poll() is not None
        return os.waitpid(self._pid, os.WNOHANG) != (0, 0)

    def _wait(self):
        limit = time.monotonic() + START_LIMIT
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/", timeout=START_LIMIT).close()
                return
            except urllib.error.HTTPError:
                return
            except (OSError, urllib.error.URLError):
                if self._ended() or time.monotonic() > limit:
                    raise RuntimeError(f"the server at {self.url} does not answer") from None
            time.sleep(0.005)
