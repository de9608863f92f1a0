"""The AsyncAPI 3 document of the sockets, from the schemas that their messages are tested against."""

from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api.fields import LARGEST_ID
from api.openapi import schema_name

_ADDRESS = "/ws/screenings/{screeningId}"


def asyncapi_document(
    version: str,
    query: type[Schema],
    server_messages: Sequence[type[Schema]],
    client_messages: Sequence[type[Schema]],
) -> dict[str, Any]:
    """The document.

    Args:
        version: of the server.
        query: what may stand in the query of the handshake.
        server_messages: what the server sends; the name of a schema is the name of its message.
        client_messages: what a client may send.
    """
    schemas = _json_schemas([query, *server_messages, *client_messages])
    messages = {schema_name(schema): _message(schema) for schema in (*server_messages, *client_messages)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Frontrow sockets",
            "version": version,
            "description": "Real-time updates of the seats of a screening. REST: see /openapi.json.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "screening": {
                "address": _ADDRESS,
                "description": "The seats of one screening.",
                "parameters": {"screeningId": {"description": f"Id of a screening, 1 to {LARGEST_ID}."}},
                "bindings": {"ws": {"method": "GET", "query": _reference("schemas", query)}},
                "messages": {name: _reference("messages", name) for name in messages},
            }
        },
        "operations": {
            "watchSeats": _operation("send", "What the server sends.", server_messages),
            "checkConnection": _operation("receive", "What a client may send.", client_messages),
        },
        "components": {"schemas": schemas, "messages": messages},
    }


def _reference(kind: str, named: str | type[Schema]) -> dict[str, str]:
    name = named if isinstance(named, str) else schema_name(named)
    return {"$ref": f"#/components/{kind}/{name}"}


def _message(schema: type[Schema]) -> dict[str, Any]:
    return {
        "name": schema_name(schema),
        "summary": (schema.__doc__ or "").partition("\n")[0],
        "payload": _reference("schemas", schema),
    }


def _operation(action: str, summary: str, schemas: Sequence[type[Schema]]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/screening"},
        "messages": [{"$ref": f"#/channels/screening/messages/{schema_name(schema)}"} for schema in schemas],
    }


def _json_schemas(schemas: Sequence[type[Schema]]) -> dict[str, Any]:
    """The schemas, and those they contain, in JSON Schema, which OpenAPI 3.1 shares with AsyncAPI 3."""
    plugin = MarshmallowPlugin(schema_name_resolver=schema_name)
    spec = APISpec("", "", openapi_version="3.1.0", plugins=[plugin])
    for schema in schemas:
        spec.components.schema(schema_name(schema), schema=schema)
    components: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    return components
