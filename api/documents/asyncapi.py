"""Builds the AsyncAPI 3 document of the WebSockets, from the schemas that tests check messages against."""

from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from api.documents.channels import Channel
from api.documents.openapi import schema_name, with_ecma_patterns


def asyncapi_document(version: str, channels: Sequence[Channel], path_prefix: str = "") -> dict[str, Any]:
    """Return the AsyncAPI document.

    Args:
        version: version of the server.
        channels: the WebSocket endpoints.
        path_prefix: path under which the server is mounted.
    """
    messages = {
        schema_name(schema): schema
        for channel in channels
        for schema in (*channel.server_messages, *channel.client_messages)
    }
    queries = dict.fromkeys(channel.query for channel in channels)
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Frontrow sockets",
            "version": version,
            "description": "Real-time updates of seats, screenings and events. REST: see openapi.json.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": {
            "this": {
                "host": "{host}",
                "pathname": path_prefix or "/",
                "protocol": "wss",
                "description": "The host that serves this document; use ws without TLS.",
                "variables": {"host": {"default": "localhost:8000"}},
            }
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in channels},
        "operations": {
            name: operation for channel in channels for name, operation in _operations(channel).items()
        },
        "components": {
            "schemas": _json_schemas([*queries, *messages.values()]),
            "messages": {name: _message(schema) for name, schema in messages.items()},
        },
    }
    return _with_examples(document, channels)


def _with_examples(document: dict[str, Any], channels: Sequence[Channel]) -> dict[str, Any]:
    """Add an example to each message of clients, from those of its required fields."""
    components = document["components"]
    for channel in channels:
        for name in map(schema_name, channel.client_messages):
            schema = components["schemas"][name]
            required = sorted(schema["required"], key=lambda field: field != "type")
            payload = {field: schema["properties"][field]["example"] for field in required}
            components["messages"][name]["examples"] = [{"name": name, "payload": payload}]
    return document


def _channel(channel: Channel) -> dict[str, Any]:
    names = map(schema_name, (*channel.server_messages, *channel.client_messages))
    return {
        "address": channel.address,
        "description": channel.description,
        "parameters": {name: {"description": meaning} for name, meaning in channel.parameters.items()},
        "bindings": {"ws": {"method": "GET", "query": _reference("schemas", channel.query)}},
        "messages": {name: _reference("messages", name) for name in names},
    }


def _operations(channel: Channel) -> dict[str, Any]:
    return {
        channel.listening: _operation(
            channel, "send", "Messages sent by the server.", channel.server_messages
        ),
        channel.speaking: _operation(
            channel, "receive", "Messages accepted from clients.", channel.client_messages
        ),
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


def _operation(
    channel: Channel, action: str, summary: str, schemas: Sequence[type[Schema]]
) -> dict[str, Any]:
    address = f"#/channels/{channel.name}"
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": address},
        "messages": [{"$ref": f"{address}/messages/{schema_name(schema)}"} for schema in schemas],
    }


def _json_schemas(schemas: Sequence[type[Schema]]) -> dict[str, Any]:
    """Convert schemas, and those nested in them, to JSON Schema, which OpenAPI 3.1 and AsyncAPI 3 share."""
    plugin = MarshmallowPlugin(schema_name_resolver=schema_name)
    spec = APISpec("", "", openapi_version="3.1.0", plugins=[plugin])
    for schema in schemas:
        spec.components.schema(schema_name(schema), schema=schema)
    components: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    return {name: with_ecma_patterns(part) for name, part in components.items()}
