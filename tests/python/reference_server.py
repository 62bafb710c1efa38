"""Run the reference implementation's server.

Usage: ``reference_server.py --port PORT [--forgetful]``; everything else is said by the environment variables of that
server (``DAF_BUTLER_SERVER_…``). Runs until it is killed.

``--forgetful``
    The server looks instruments, sky maps and the like up for each request, as it does under the package's own tests.
    Without it, it reads them once, the first time that a repository is asked for, and never again.
"""

import argparse
import logging
import warnings


def application(forgetful):
    """Return the server's application."""
    from lsst.daf.butler import LabeledButlerFactory
    from lsst.daf.butler.remote_butler.server import create_app
    from lsst.daf.butler.remote_butler.server._config import load_config
    from lsst.daf.butler.remote_butler.server._dependencies import butler_factory_dependency

    app = create_app()
    if forgetful:
        repositories = load_config().repositories
        factory = LabeledButlerFactory({label: found.config_uri for label, found in repositories.items()})
        factory._preload_unsafe_direct_butler_caches = False
        app.dependency_overrides[butler_factory_dependency] = lambda: factory
    return app


def serve(port, forgetful=False):
    """Serve on the loopback interface until the process is killed."""
    import uvicorn

    uvicorn.run(application(forgetful), host="127.0.0.1", port=port, log_level="warning", access_log=False)


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Run the reference implementation's server.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--forgetful", action="store_true")
    arguments = parser.parse_args()
    serve(arguments.port, arguments.forgetful)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    main()
