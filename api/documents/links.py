"""Links in the OpenAPI document: from an operation that creates a record to all operations that take its id.

Links are derived, not declared. The operation that reads a record tells which path parameter is its id:
`GET /api/v1/cinemas/{cinema_id}` returns a Cinema, so an operation that creates a Cinema gives a `cinema_id`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marshmallow import Schema

from api.rest.endpoint import Endpoint

Links = Mapping[str, Mapping[str, Any]]
"""OpenAPI link objects, by the name of the target operation."""


def links_by_creator(endpoints: Sequence[Endpoint]) -> dict[str, Links]:
    """Return the links of each operation that has any, by the operation's name."""
    id_names = {
        _shape(endpoint): endpoint.path_parameters[-1] for endpoint in endpoints if _reads_one(endpoint)
    }
    return {
        endpoint.name: dict(_links(endpoint, id_names[_shape(endpoint)], endpoints))
        for endpoint in endpoints
        if endpoint.method == "POST" and endpoint.status == 201 and _shape(endpoint) in id_names
    }


def _links(creator: Endpoint, id_name: str, endpoints: Sequence[Endpoint]) -> Iterable[tuple[str, Any]]:
    record = f"{creator.style.pointer}/0" if _answers_many(creator) else creator.style.pointer
    record_id = f"$response.body#{record}/id"
    for endpoint in endpoints:
        if endpoint.path_parameters == [id_name]:
            yield endpoint.name, {"operationId": endpoint.name, "parameters": {id_name: record_id}}


def _reads_one(endpoint: Endpoint) -> bool:
    return (
        endpoint.method == "GET"
        and endpoint.path.endswith("_id}")
        and isinstance(endpoint.answers, Schema | type)
        and not _answers_many(endpoint)
    )


def _shape(endpoint: Endpoint) -> type | None:
    return endpoint.answers if isinstance(endpoint.answers, type | None) else type(endpoint.answers)


def _answers_many(endpoint: Endpoint) -> bool:
    return isinstance(endpoint.answers, Schema) and endpoint.answers.many
