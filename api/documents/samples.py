"""Writes the `x-codeSamples` of an operation: the same request in curl, Python and JavaScript.

They are made from what the OpenAPI document says of the operation: its path, the examples of its parameters
and of its body, and who may call it. `/docs`, `/redoc` and the documentation's site show them. Pages that
know the address of their server put it in the place of `SERVER`.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any
from urllib.parse import urlencode

from api.documents.client_calls import CLIENT_CALLS

SERVER = "http://127.0.0.1:8000"
"""The address of the server in all samples: that of `frontrow serve` without settings."""

_JSON = "application/json"
_QUERY_EXAMPLES: Mapping[str, str] = {"ids": "2001,2002", "q": "brass", "version": "7"}
"""Values of required query parameters without an example of their own."""
_FILES: Mapping[str, str] = {"image/jpeg": "picture.jpg", "text/csv": "layout.csv"}
_BOOLEANS: Mapping[str, str] = {"true": "True", "false": "False", "null": "None"}
_STRING_OR_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b')


@dataclass(frozen=True, slots=True)
class _Request:
    """The request that the samples send.

    Attributes:
        operation_id: id of the operation.
        examples: by the names of parameters and of fields of the body.
        server: address of the server, with its path prefix.
        secret: the environment variable with the caller's token, or empty.
        file: name of the file that is sent instead of a JSON body, or empty.
    """

    operation_id: str
    examples: Mapping[str, Any]
    server: str
    method: str
    url: str
    secret: str
    media_type: str
    body: Any
    file: str
    binary: bool


def code_samples(
    method: str, path: str, operation: Mapping[str, Any], prefix: str = ""
) -> list[dict[str, str]]:
    """Return the samples of an operation, for its field `x-codeSamples`.

    Args:
        method: the HTTP method, in capitals.
        path: with its placeholders.
        operation: the operation as the document describes it.
        prefix: path prefix under which the server is mounted.
    """
    request = _request(method, path, operation, prefix)
    return [
        {"lang": language, "label": label, "source": "\n".join(lines(request))}
        for language, label, lines in (
            ("bash", "curl", _curl),
            ("python", "Python", _python),
            ("javascript", "JavaScript", _javascript),
        )
    ]


def _request(method: str, path: str, operation: Mapping[str, Any], prefix: str) -> _Request:
    query, examples = {}, {}
    for parameter in operation["parameters"]:
        name = parameter["name"]
        example = examples[name] = parameter.get("example", parameter["schema"].get("example"))
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", str(example))
        elif parameter["in"] == "query" and parameter.get("required"):
            query[name] = examples[name] = str(example or _QUERY_EXAMPLES[name])
    content = operation.get("requestBody", {}).get("content", {})
    media_type = next((kind for kind in content if kind != "multipart/form-data"), "")
    answered = next(iter(operation["responses"].values())).get("content", {_JSON: None})
    body = content[_JSON]["example"] if media_type == _JSON else None
    return _Request(
        operation_id=operation["operationId"],
        examples=examples | (body or {}),
        server=f"{SERVER}{prefix}",
        method=method,
        url=f"{SERVER}{prefix}{path}{'?' + urlencode(query, safe=',') if query else ''}",
        secret=_secret(operation["security"]),
        media_type=media_type,
        body=body,
        file="" if media_type in ("", _JSON) else _FILES[media_type],
        binary=not any(kind.startswith("text/") or kind == _JSON for kind in answered),
    )


def _secret(security: Sequence[Mapping[str, Any]]) -> str:
    if not security or {} in security:
        return ""
    return "CRON_SECRET" if "cron" in security[0] else "TOKEN"


def _curl(request: _Request) -> Iterator[str]:
    sends = request.body is not None or request.file
    usual = "POST" if sends else "GET"
    method = "" if request.method == usual else f" -X {request.method}"
    parts = [f"curl{method} {shlex.quote(request.url)}"]
    if request.secret:
        parts.append(f'-H "Authorization: Bearer ${request.secret}"')
    if sends:
        parts.append(f"-H 'Content-Type: {request.media_type}'")
    if request.file:
        parts.append(f"--data-binary @{request.file}")
    elif request.body is not None:
        parts.append(f"-d {shlex.quote(json.dumps(request.body, ensure_ascii=False))}")
    if request.binary:
        parts.append("-o response")
    yield " \\\n  ".join(parts)


def _python(request: _Request) -> Iterator[str]:
    call = CLIENT_CALLS.get(request.operation_id)
    yield from _python_with_httpx(request) if call is None else _python_with_client(request, call)


def _python_with_client(request: _Request, call: str) -> Iterator[str]:
    if request.secret:
        yield "import os\n"
    yield "from frontrow_client import Frontrow\n"
    token = f', os.environ["{request.secret}"]' if request.secret else ""
    yield f'with Frontrow("{request.server}"{token}) as frontrow:'
    # Lists of ids in a query are shown as numbers.
    shown = {
        name: value if name == "ids" else _python_literal(value) for name, value in request.examples.items()
    }
    yield indent(call.format_map(shown), "    ")


def _python_with_httpx(request: _Request) -> Iterator[str]:
    headers = []
    if request.secret:
        yield "import os\n"
        headers.append(f'"Authorization": f"Bearer {{os.environ[\'{request.secret}\']}}"')
    yield "import httpx\n"
    yield "response = httpx.request("
    yield f'    "{request.method}",'
    yield f'    "{request.url}",'
    if request.file:
        headers.append(f'"Content-Type": "{request.media_type}"')
    if headers:
        yield f"    headers={{{', '.join(headers)}}},"
    if request.file:
        yield f'    content=open("{request.file}", "rb").read(),'
    elif request.body is not None:
        yield f"    json={_python_literal(request.body)},"
    yield ")"
    yield "response.raise_for_status()"
    yield f"print({'len(response.content)' if request.binary else 'response.text'})"


def _javascript(request: _Request) -> Iterator[str]:
    options, headers = [], []
    if request.method != "GET":
        options.append(f"method: '{request.method}'")
    if request.secret:
        headers.append(f"Authorization: `Bearer ${{process.env.{request.secret}}}`")
    if request.file or request.body is not None:
        headers.append(f"'Content-Type': '{request.media_type}'")
    if headers:
        options.append(f"headers: {{ {', '.join(headers)} }}")
    if request.file:
        yield "import { readFile } from 'node:fs/promises';\n"
        options.append(f"body: await readFile('{request.file}')")
    elif request.body is not None:
        options.append(f"body: JSON.stringify({_literal(request.body)})")
    if options:
        yield f"const response = await fetch('{request.url}', {{"
        yield from (f"  {option}," for option in options)
        yield "});"
    else:
        yield f"const response = await fetch('{request.url}');"
    yield "if (!response.ok) throw new Error(await response.text());"
    answer = "(await response.arrayBuffer()).byteLength" if request.binary else "await response.text()"
    yield f"console.log({answer});"


def _literal(body: object) -> str:
    return json.dumps(body, ensure_ascii=False)


def _python_literal(body: object) -> str:
    """Return JSON as Python writes it."""
    return _STRING_OR_WORD.sub(lambda found: _BOOLEANS.get(found[0], found[0]), _literal(body))
