"""Bytes in, bytes out: what RFC 9110 and RFC 9112 require, and what prevents request smuggling."""

import json
from collections.abc import Mapping

import pytest

from api.http1.http_server import HTTPTOOLS, TORNADO
from tests.http.cases_of_bodies import BODIES, CHUNKS
from tests.http.cases_of_connections import CONNECTIONS
from tests.http.cases_of_heads import FIELDS, REQUEST_LINES
from tests.http.conftest import OpenStage
from tests.http.conversation import GET, Case
from tests.http.stage import Answer, Connection

pytestmark = pytest.mark.gen_test

CASES = (*REQUEST_LINES, *FIELDS, *BODIES, *CHUNKS, *CONNECTIONS)

TORNADO_DIFFERS: Mapping[str, tuple[str, ...]] = {
    "accepts any target unchanged": (
        "3.2.2 absolute form",
        "3.2.2 absolute form without a path",
        "3.2.2 the host of the absolute form counts",
        "3.2.4 asterisk form of another method",
        "3.2.3 authority form of another method",
        "target without a slash",
        "target with a fragment",
        "target that is not ASCII",
    ),
    "accepts line feeds as line ends": (
        "2.2 bare line feed before the request",
        "2.2 bare line feeds as line ends",
        "2.2 bare line feed after the request line",
        "2.2 bare line feed hides a field",
        "2.2 bare line feed ends the head",
        "2.2 bare line feed after a body that ends in a carriage return",
    ),
    "treats empty lines as the end of a head": ("2.2 empty lines before the request",),
    "answers every error with 400, or not at all": (
        "RFC 9110 15.6.6 major version 2",
        "RFC 9110 15.6.6 major version 0",
        "the preface of HTTP/2",
        "the beginning of TLS",
        "RFC 6585 5 head over its limit",
        "RFC 6585 5 head that never ends",
        "RFC 9110 15.5.14 length over the limit",
        "RFC 9110 10.1.1 refused expectation",
        "7.1 size over the limit",
        "7.1.1 extension over its limit",
    ),
    "has no such limit": ("too many fields", "RFC 9110 15.5.15 target over its limit"),
    "rejects a higher minor version": ("RFC 9110 2.5 a higher minor version",),
    "accepts repeated equal lengths": (
        "6.3 the same length twice",
        "6.3 list of the same length",
    ),
    "accepts chunks in HTTP/1.0": ("6.1 chunked in HTTP/1.0",),
    "rejects extensions and trailers": (
        "7.1.1 extension",
        "7.1.1 extension in quotes",
        "7.1.2 trailer fields",
    ),
    "does not parse lists in Connection": (
        "9.6 close among other options",
        "9.3 HTTP/1.0 can persist",
        "9.3 HTTP/1.0 can persist, in mixed case",
    ),
    "does not close when only that would end a response": ("6.1 no chunks for HTTP/1.0",),
    "does not answer clients that have closed their sending side": (
        "9.6 the client closes its sending side",
        "9.6 the client closes its sending side after pipelined requests",
    ),
    "sends 100 (Continue) when it is not needed, and not when it is": (
        "RFC 9110 10.1.1 expectation without its body",
        "RFC 9110 10.1.1 expectation in mixed case",
        "RFC 9110 10.1.1 expectation with its body",
        "RFC 9110 10.1.1 expectation of a request without a body",
        "RFC 9110 10.1.1 response before the body",
    ),
    "upgrades HTTP/1.0": ("RFC 9110 7.8 upgrade over HTTP/1.0",),
}
"""Cases in which Tornado's own server behaves differently; they are skipped for it."""

NOT_FOR_TORNADO = frozenset(name for names in TORNADO_DIFFERS.values() for name in names)
CONVERSATIONS = [
    pytest.param(case, layer, id=f"{layer}: {case.name}")
    for layer in (HTTPTOOLS, TORNADO)
    for case in CASES
    if layer == HTTPTOOLS or case.name not in NOT_FOR_TORNADO
]


async def answers_to(case: Case, connection: Connection) -> list[Answer]:
    """Return as many responses as expected if the connection stays open, else all until it ends."""
    to_head = case.sent.startswith(b"HEAD")
    answers: list[Answer] = []
    while not case.kept or len(answers) < len(case.statuses):
        answer = await connection.answer(to_head=to_head)
        if answer is None:
            break
        answers.append(answer)
    return answers


@pytest.mark.parametrize(("case", "layer"), CONVERSATIONS)
async def test_conversation(open_stage: OpenStage, case: Case, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(case.sent)
        if case.ends:
            connection.end()
        answers = await answers_to(case, connection)
        assert tuple(answer.status for answer in answers) == case.statuses
        if case.kept:
            await connection.send(GET)
            assert (await connection.answer()).status == 200
    if case.seen:
        seen = json.loads(answers[-1].body)
        seen["fields"] = {name: seen["fields"][name] for name in case.seen.get("fields", ())}
        assert seen | case.seen == seen
    assert {name: answers[-1].fields.get(name) for name in case.response_fields} == case.response_fields


def test_names_of_conversations_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) >= 120
    assert len(names) == len(set(names))
    assert set(names) >= NOT_FOR_TORNADO
