"""Pages of the REST operations, one per tag, from the OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

Operation = Mapping[str, Any]

_CALLERS: Mapping[str, str] = {
    "": "everybody",
    "guest": "guests, and users with a token",
    "user": "users with a token",
    "admin": "administrators",
    "cron": "whoever has `FRONTROW_CRON_SECRET`",
}
_ADMIN = "`admin_required`"


def operation_pages(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the pages' Markdown by the name of the tag, in the document's order.

    Args:
        document: the OpenAPI document.
    """
    by_tag: dict[str, list[str]] = {
        tag["name"]: [f"# {tag['name']}", "", tag["description"], ""] for tag in document["tags"]
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].extend(_operation(method.upper(), path, operation, document))
    return {tag: "\n".join(lines) for tag, lines in by_tag.items()}


def anchor_of(operation_id: str) -> str:
    """Return the anchor of an operation on its page."""
    return operation_id.replace("_", "-")


def _operation(method: str, path: str, operation: Operation, document: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {operation['summary']} {{ #{anchor_of(operation['operationId'])} }}"
    yield from ("", f"`{method} {path}`", "")
    yield from (f"For {_caller(operation)}.", "")
    if "description" in operation:
        yield from (operation["description"], "")
    parameters = [named for named in operation["parameters"] if "name" in named]
    if parameters:
        yield from ("| parameter | in | type | meaning |", "| --- | --- | --- | --- |")
        for parameter in parameters:
            required = "" if parameter["in"] == "path" or not parameter.get("required") else "Required. "
            meaning = required + parameter.get("description", "")
            kind = _type(parameter["schema"])
            yield f"| `{parameter['name']}` | {parameter['in']} | {kind} | {_cell(meaning)} |"
        yield ""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _fields("The body", media_type, content["schema"], document)
    yield from _answers(operation, document)
    for sample in operation["x-codeSamples"]:
        yield from (f'=== "{sample["label"]}"', "", f"    ```{sample['lang']}")
        yield from (f"    {line}" if line else "" for line in sample["source"].split("\n"))
        yield from ("    ```", "")


def _caller(operation: Operation) -> str:
    security = operation["security"]
    if not security:
        return _CALLERS[""]
    if "cron" in security[0]:
        return _CALLERS["cron"]
    if {} in security:
        return _CALLERS["guest"]
    return _CALLERS["admin" if _ADMIN in operation["responses"]["403"]["description"] else "user"]


def _answers(operation: Operation, document: Mapping[str, Any]) -> Iterator[str]:
    (status, success), *refusals = operation["responses"].items()
    for media_type, content in success.get("content", {}).items():
        yield from _fields(f"The answer, {status},", media_type, content["schema"], document)
    if not success.get("content"):
        yield from (f"The answer is {status}.", "")
    yield from ("| refused with | because |", "| --- | --- |")
    for refused, refusal in refusals:
        yield f"| {refused} | {_cell(refusal['description'])} |"
    yield ""


def _fields(
    what: str, media_type: str, schema: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[str]:
    """Describe the fields of a body; a body without fields in one sentence."""
    many = "items" in schema
    described = resolved(schema["items"] if many else schema, document)
    fields = described.get("properties", {})
    if not fields:
        yield from (f"{what} is `{media_type}`.", "")
        return
    yield from (f"{what} is {'a list of objects' if many else 'an object'} of `{media_type}`:", "")
    yield from field_table(described)


def field_table(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of an object's fields.

    Args:
        schema: JSON Schema of the object.
    """
    required = schema.get("required", ())
    yield from ("| field | type | meaning |", "| --- | --- | --- |")
    for name, field in schema["properties"].items():
        mark = " (required)" if name in required else ""
        yield f"| `{name}`{mark} | {_type(field)} | {_cell(field.get('description', ''))} |"
    yield ""


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or that which it refers to in the document's components."""
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type and the bounds of a value, in words."""
    if reference := schema.get("$ref"):
        return str(reference.rpartition("/")[2])
    kind = schema.get("type", "object")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    if kinds[0] == "array":
        words = f"list of {_type(schema.get('items', {}))}"
    elif "enum" in schema:
        return " or ".join(f"`{_text(value)}`" for value in schema["enum"])
    else:
        words = str(schema.get("format", kinds[0])) if kinds[0] == "string" else str(kinds[0])
    bounds = [
        f"{word} {schema[name]}"
        for word, name in (
            ("from", "minimum"),
            ("above", "exclusiveMinimum"),
            ("to", "maximum"),
            ("from", "minLength"),
            ("to", "maxLength"),
            ("from", "minItems"),
            ("to", "maxItems"),
        )
        if name in schema
    ]
    return ", ".join([" or ".join([words, *kinds[1:]]), *([" ".join(bounds)] if bounds else [])])


def _text(value: object) -> str:
    return "null" if value is None else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
