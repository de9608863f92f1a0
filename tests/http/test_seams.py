"""The response does not depend on how the network splits the request.

`FRONTROW_TEST_HTTP_FUZZ_REQUESTS` is the number of mutated requests.
"""

import logging
import os
import random
import re

import pytest

from api.limits import Limits
from tests.http.conversation import GET, Case
from tests.http.memory_transport import conversation, memory_server
from tests.http.test_conformance import CASES

pytestmark = pytest.mark.gen_test

REQUESTS = int(os.environ.get("FRONTROW_TEST_HTTP_FUZZ_REQUESTS", "4000"))
SHORT_BYTES = 600
GOOD = [case for case in CASES if case.kept and len(case.sent) < SHORT_BYTES]
# Small limits, which short requests can reach.
SMALL = Limits(header_bytes=512, request_line_bytes=256, header_count=12)
SEEDS = (20_260_127, 4711, 8, 15)

_VARIABLE = re.compile(rb"(Date|X-Request-ID): [^\r]+")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_FRAGMENTS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b"\r\n ",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"\xff",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    GET,
)


def comparable(answered: tuple[bytes, bool]) -> tuple[bytes, bool]:
    """Remove the variable header fields and interim responses."""
    data, closed = answered
    return _VARIABLE.sub(rb"\1: -", data).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""), closed


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
async def test_every_split_gives_the_same_response(case: Case) -> None:
    server = memory_server(Limits())
    sent = case.sent
    whole = comparable(await conversation(server, sent))
    chance = random.Random(len(sent))
    cuts = range(1, len(sent)) if len(sent) < SHORT_BYTES else chance.sample(range(1, len(sent)), 50)
    for cut in cuts:
        assert comparable(await conversation(server, sent[:cut], sent[cut:])) == whole, sent[:cut]


async def test_byte_by_byte_gives_the_same_response() -> None:
    server = memory_server(Limits())
    for case in CASES:
        if len(case.sent) < SHORT_BYTES:
            pieces = [case.sent[at : at + 1] for at in range(len(case.sent))]
            whole = comparable(await conversation(server, case.sent))
            assert comparable(await conversation(server, *pieces)) == whole, case.name


def mutated(chance: random.Random) -> bytes:
    """Return one or several requests with a few mutations."""
    data = b"".join(chance.choice(GOOD).sent for _ in range(chance.randint(1, 3)))
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + chance.randint(1, 12))
        change = chance.randrange(5)
        if change == 0:
            data = data[:at] + chance.choice(_FRAGMENTS) + data[at:]
        elif change == 1:
            data = data[:at] + data[until:]
        elif change == 2:
            data = data[:until] + data[at:]
        elif change == 3:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        else:
            data = data[:at] + chance.choice(_FRAGMENTS) + data[until:]
    return data


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    """Split bytes into a few pieces."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(1, 5)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize("limits", [Limits(), SMALL], ids=["usual bounds", "small bounds"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_mutated_requests_get_the_same_response_however_they_are_split(
    seed: int, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    server = memory_server(limits)
    chance = random.Random(seed)
    served = refused = 0
    for _ in range(REQUESTS // (2 * len(SEEDS))):
        data = mutated(chance)
        whole = comparable(await conversation(server, data))
        assert comparable(await conversation(server, *cut(data, chance))) == whole, data
        statuses = [int(status) for status in _STATUS.findall(whole[0])]
        # No response follows a refusal.
        assert all(status == 200 for status in statuses[:-1]), data
        served += statuses.count(200)
        refused += statuses.count(400)
        assert comparable(await conversation(server, GET))[0].startswith(b"HTTP/1.1 200 ")
    # The mutations must not be so strong that all requests are rejected, nor so weak that all are served.
    assert min(served, refused) > REQUESTS // (2 * len(SEEDS)) // 3
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
