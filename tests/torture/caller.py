"""A client's connection to the nodes: it tells answers from silence, and one node from the other."""

import json
from typing import Any, NamedTuple

import aiohttp

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 8.0
"""After that a client gives up; a node that answers at all answers sooner."""


class Unanswered(Exception):
    """There was no complete answer, so nobody knows whether the request was carried out."""


class NotConnected(Unanswered):
    """There was no connection to the node, so it certainly has not got the request."""


class Answer(NamedTuple):
    """A response.

    Attributes:
        status: of HTTP.
        document: the decoded JSON, or None.
    """

    status: int
    document: Any

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        if self.status < 400 or not isinstance(self.document, dict):
            return None
        return self.document.get("code") or self.document.get("error", {}).get("code")


def open_session() -> aiohttp.ClientSession:
    """Return a session for callers. Each request has a connection of its own.

    aiohttp sends DELETE and PUT once more by itself if their connection breaks, so that the error may be that
    of a second connection: what has been sent is marked.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_mark_sent)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, trace_configs=[tracing])


async def _mark_sent(
    session: aiohttp.ClientSession, context: Any, sent: aiohttp.TraceRequestHeadersSentParams
) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.append(sent.method)


class Caller:
    """One user.

    Args:
        session: opens connections; from `open_session`.
        token: of the user.
    """

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self.session, self.token = session, token
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def send(
        self,
        url: str,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Send a request on a new connection.

        Args:
            url: the address of a node.
            method, path, body: of the request.
            key: its Idempotency-Key.
            seconds: patience of the client.

        Raises:
            NotConnected: there was no connection.
            Unanswered: there was no complete answer.
        """
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        content = None if body is None else json.dumps(body)
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        sent: list[str] = []
        try:
            async with self.session.request(
                method, url + path, data=content, headers=headers, timeout=limit, trace_request_ctx=sent
            ) as answer:
                received = await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise (Unanswered if sent else NotConnected) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unanswered from error
        return Answer(answer.status, json.loads(received) if received else None)
