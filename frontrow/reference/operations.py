"""Pages of the REST operations, one per tag, from the OpenAPI document.

Fields whose values are objects link to a table of that object, which is at the end of the page.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Operation = Mapping[str, Any]
Schema = Mapping[str, Any]

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
    pages: dict[str, list[str]] = {
        tag["name"]: [f"# {tag['name']}", "", tag["description"], ""] for tag in document["tags"]
    }
    bodies: dict[str, list[Schema]] = {tag: [] for tag in pages}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            (tag,) = operation["tags"]
            pages[tag].extend(_operation(method.upper(), path, operation, document))
            bodies[tag].extend(_bodies(operation, document))
    return {tag: "\n".join([*lines, *type_tables(bodies[tag], document)]) for tag, lines in pages.items()}


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


def _bodies(operation: Operation, document: Mapping[str, Any]) -> Iterator[Schema]:
    """Yield the schemas whose fields `_fields` shows."""
    success = next(iter(operation["responses"].values()))
    for body in (operation.get("requestBody", {}), success):
        for content in body.get("content", {}).values():
            yield _shown(content["schema"], document)


def _shown(schema: Schema, document: Mapping[str, Any]) -> Schema:
    """Return the schema of an object, or of the objects in a list."""
    return resolved(schema.get("items", schema), document)


def _fields(
    what: str, media_type: str, schema: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[str]:
    """Describe the fields of a body; a body without fields in one sentence."""
    many = "items" in schema
    described = _shown(schema, document)
    if not described.get("properties"):
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


def type_tables(schemas: Iterable[Schema], document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table for each type that the fields of some objects have, and that the fields of these have.

    Args:
        schemas: JSON Schemas of the objects.
        document: with the types in its components.
    """
    names: dict[str, None] = {}
    for schema in schemas:
        _collect(schema, document, names)
    if names:
        yield from ("## Types", "")
    for name in sorted(names):
        described = document["components"]["schemas"][name]
        yield from (f"### {name} {{ #{_type_anchor(name)} }}", "")
        if "description" in described:
            yield from (described["description"], "")
        yield from field_table(described)


def _collect(schema: object, document: Mapping[str, Any], names: dict[str, None]) -> None:
    """Add the names of all types that a schema refers to, directly or through other types."""
    if isinstance(schema, list):
        for part in schema:
            _collect(part, document, names)
    elif isinstance(schema, Mapping):
        name = _referred(schema)
        if name and name not in names:
            names[name] = None
            _collect(document["components"]["schemas"][name], document, names)
        for part in schema.values():
            _collect(part, document, names)


def _referred(schema: Schema) -> str:
    """Return the name of the type that a schema refers to, or an empty string."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type_anchor(name: str) -> str:
    return f"type-{name.lower()}"


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or that which it refers to in the document's components."""
    name = _referred(schema)
    return document["components"]["schemas"][name] if name else schema


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type and the bounds of a value, in words."""
    if name := _referred(schema):
        return f"[{name}](#{_type_anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    kind = schema.get("type", "object")
    kinds = [kind] if isinstance(kind, str) else list(dict.fromkeys(kind))
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
