"""Generates a request of every operation of an OpenAPI document, with valid parameters and bodies."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

_FORMATS = {
    "date-time": "2031-05-01T20:00:00+00:00",
    "date": "2031-05-01",
    "time": "20:00:00",
    "email": "ana@example.org",
    "uri": "https://example.org/a.png",
    "url": "https://example.org/a.png",
    "uuid": "6f1c1f4e-7f7b-4d0e-9a53-3a3f4f6e2b11",
}


class SampleRequest(NamedTuple):
    """A request that its schemas accept, so that it reaches the handler.

    Attributes:
        route: method and path template of the document.
        path: including the query.
        body: a JSON document, or None.
    """

    route: str
    method: str
    path: str
    body: Any


def sample_requests(document: Mapping[str, Any], path_id: int) -> Iterator[SampleRequest]:
    """Yield one request per operation.

    Args:
        document: an OpenAPI document.
        path_id: the value of ids in paths.
    """
    sampler = _Sampler(document)
    for template, operations in document["paths"].items():
        shared = operations.get("parameters", [])
        for method, operation in operations.items():
            if method == "parameters":
                continue
            parameters = [sampler.resolved(one) for one in (*shared, *operation.get("parameters", []))]
            path = template
            for parameter in parameters:
                if parameter["in"] == "path":
                    whole = parameter["schema"].get("type") == "integer"
                    text = str(path_id) if whole else f"funcion_{path_id}"
                    path = path.replace("{" + parameter["name"] + "}", text)
            wanted = {
                parameter["name"]: sampler.value(parameter["schema"], parameter)
                for parameter in parameters
                if parameter["in"] == "query" and parameter.get("required")
            }
            media = operation.get("requestBody", {}).get("content", {}).get("application/json")
            body = sampler.value(media["schema"], media) if media else None
            query = f"?{urlencode(wanted)}" if wanted else ""
            yield SampleRequest(f"{method.upper()} {template}", method.upper(), path + query, body)


class _Sampler:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        return schema

    def value(self, schema: Mapping[str, Any], beside: Mapping[str, Any] | None = None) -> Any:
        """Return a value that the schema allows, with only the required fields."""
        for source in (beside or {}, schema := self.resolved(schema)):
            if "example" in source:
                return source["example"]
            if examples := source.get("examples"):
                first = next(iter(examples.values())) if isinstance(examples, dict) else examples[0]
                return first["value"] if isinstance(first, dict) and "value" in first else first
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self.value(schema[choice][0])
        if "enum" in schema:
            return schema["enum"][0]
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        match kind:
            case "object":
                properties = schema.get("properties", {})
                return {name: self.value(properties[name]) for name in schema.get("required", ())}
            case "array":
                return [self.value(schema.get("items", {})) for _ in range(max(1, schema.get("minItems", 1)))]
            case "integer" | "number":
                return max(schema.get("minimum", 1), 1)
            case "boolean":
                return True
            case _:
                return self._text(schema)

    @staticmethod
    def _text(schema: Mapping[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = "sample-1" * 8
        pattern = schema.get("pattern", "").replace(r"\Z", "$")
        if pattern and not re.search(pattern, text):
            text = "1"
        return text[: min(schema.get("maxLength", 16), max(16, schema.get("minLength", 0)))]
