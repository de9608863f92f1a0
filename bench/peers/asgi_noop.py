"""uvicorn with a constant application: it reads the request and always answers the same bytes."""

from typing import Any

from bench.peers.given import Given, serve_asgi

_BODY = b'{"reservations":[],"message":"Reserved 2 seats"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application."""
    while (await receive()).get("more_body"):
        pass
    if scope["method"] == "POST":
        await send({"type": "http.response.start", "status": 201, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})
    else:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def serve(given: Given) -> None:
    """Serve until the process is killed."""
    await serve_asgi(application, given, lifespan="off")
