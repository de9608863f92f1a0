"""uvicorn as its experts run it: uvloop, httptools, one worker, no access log."""

from typing import Any

import uvicorn

from bench.peers.surroundings import Surroundings


async def serve_application(application: Any, surroundings: Surroundings, **options: Any) -> None:
    """Serve an ASGI application until SIGTERM.

    Args:
        application: what is served.
        surroundings: where it listens.
        options: more for `uvicorn.Config`.
    """
    config = uvicorn.Config(
        application, http="httptools", ws="none", access_log=False, log_level="warning", **options
    )
    await uvicorn.Server(config).serve(sockets=[surroundings.listening])
