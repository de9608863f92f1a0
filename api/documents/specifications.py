"""`/openapi.json` and `/asyncapi.json`, which are made when somebody first asks for them."""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from api.documents.asyncapi import asyncapi_document
from api.documents.channels import CHANNELS
from api.documents.openapi import openapi_document
from api.limits import Limits
from api.rest.endpoint import Access, Answer, Call, Resource

_KEPT = 4

_MAKING_SECONDS = 60.0
"""Extra time for the first requests, which wait until the document is made: usually less than a second,
but longer on a busy machine."""


@lru_cache(_KEPT)
def specifications_of(
    resources: tuple[Resource, ...], version: str, bounds: tuple[Any, ...], prefix: str
) -> Resource:
    """Return the resource that serves both documents.

    Making a document takes longer than the rest of a server's start, so servers in one process share it.

    Args:
        resources: the resources to describe.
        version: version of the server.
        bounds: values of `Limits`, in order of its fields.
        prefix: path prefix, as clients see it.
    """
    specifications = Resource("", tag="Documentation")

    @specifications.get("/openapi.json", access=Access.PUBLIC, extra_seconds=_MAKING_SECONDS)
    async def openapi(call: Call) -> Answer:
        """Get the OpenAPI document."""
        return await openapi_answer.ready()

    @specifications.get("/asyncapi.json", access=Access.PUBLIC, extra_seconds=_MAKING_SECONDS)
    async def asyncapi(call: Call) -> Answer:
        """Get the AsyncAPI document of the WebSockets."""
        return await asyncapi_answer.ready()

    described = [endpoint for resource in (*resources, specifications) for endpoint in resource.endpoints]
    openapi_answer = _Made(lambda: openapi_document(described, version, Limits(*bounds), prefix))
    asyncapi_answer = _Made(lambda: asyncapi_document(version, CHANNELS, prefix))
    return specifications


class _Made:
    """An answer that is made once, in a thread, so that other requests do not wait for it.

    Args:
        make: makes the document.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._making = Lock()
        self._answer: Answer | None = None

    async def ready(self) -> Answer:
        """Return the answer."""
        if self._answer is not None:
            return self._answer
        return await asyncio.to_thread(self._once)

    def _once(self) -> Answer:
        with self._making:
            if self._answer is None:
                self._answer = Answer.of(self._make())
        return self._answer
