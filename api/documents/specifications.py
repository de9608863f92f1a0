"""`/openapi.json` and `/asyncapi.json`."""

from functools import lru_cache
from typing import Any

from api.documents.asyncapi import asyncapi_document
from api.documents.channels import CHANNELS
from api.documents.openapi import openapi_document
from api.limits import Limits
from api.rest.endpoint import Access, Answer, Call, Resource

_KEPT = 4


@lru_cache(_KEPT)
def specifications_of(
    resources: tuple[Resource, ...], version: str, bounds: tuple[Any, ...], prefix: str
) -> Resource:
    """Return the resource that serves both documents.

    Building them takes most of a server's start-up time, so servers in one process share them.

    Args:
        resources: the resources to describe.
        version: version of the server.
        bounds: values of `Limits`, in order of its fields.
        prefix: path prefix, as clients see it.
    """
    specifications = Resource("", tag="Documentation")

    @specifications.get("/openapi.json", access=Access.PUBLIC)
    async def openapi(call: Call) -> Answer:
        """Get the OpenAPI document."""
        return openapi_answer

    @specifications.get("/asyncapi.json", access=Access.PUBLIC)
    async def asyncapi(call: Call) -> Answer:
        """Get the AsyncAPI document of the WebSockets."""
        return asyncapi_answer

    described = [endpoint for resource in (*resources, specifications) for endpoint in resource.endpoints]
    openapi_answer = Answer.of(openapi_document(described, version, Limits(*bounds), prefix))
    asyncapi_answer = Answer.of(asyncapi_document(version, CHANNELS, prefix))
    return specifications
