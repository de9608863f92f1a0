"""Wherever octets are cut on their way, and whatever becomes of them, there is one answer to them.

`FRONTROW_TEST_HTTP_FUZZ_REQUESTS` says how many mutated requests are tried.
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
# Small bounds are reached by short requests.
SMALL = Limits(header_bytes=512, request_line_bytes=256, header_count=12)
SEEDS = (20_260_127, 4711, 8, 15)

_VARIABLE = re.compile(rb"(Date|X-Request-ID): [^\r]+")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_SPICE = (
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
    """Without what differs from one answer to the next, and without what says that more is awaited."""
    octets, closed = answered
    return _VARIABLE.sub(rb"\1: -", octets).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""), closed


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
async def test_every_cut_gives_the_same_answer(case: Case) -> None:
    server = memory_server(Limits())
    sent = case.sent
    whole = comparable(await conversation(server, sent))
    chance = random.Random(len(sent))
    cuts = range(1, len(sent)) if len(sent) < SHORT_BYTES else chance.sample(range(1, len(sent)), 50)
    for cut in cuts:
        assert comparable(await conversation(server, sent[:cut], sent[cut:])) == whole, sent[:cut]


async def test_octet_by_octet_gives_the_same_answer() -> None:
    server = memory_server(Limits())
    for case in CASES:
        if len(case.sent) < SHORT_BYTES:
            pieces = [case.sent[at : at + 1] for at in range(len(case.sent))]
            whole = comparable(await conversation(server, case.sent))
            assert comparable(await conversation(server, *pieces)) == whole, case.name


def mutated(chance: random.Random) -> bytes:
    """A request, or several, with a few things wrong."""
    octets = b"".join(chance.choice(GOOD).sent for _ in range(chance.randint(1, 3)))
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(octets) + 1)
        until = min(len(octets), at + chance.randint(1, 12))
        change = chance.randrange(5)
        if change == 0:
            octets = octets[:at] + chance.choice(_SPICE) + octets[at:]
        elif change == 1:
            octets = octets[:at] + octets[until:]
        elif change == 2:
            octets = octets[:until] + octets[at:]
        elif change == 3:
            octets = octets[:at] + bytes([chance.randrange(256)]) + octets[at + 1 :]
        else:
            octets = octets[:at] + chance.choice(_SPICE) + octets[until:]
    return octets


def cut(octets: bytes, chance: random.Random) -> list[bytes]:
    """The same octets in a few pieces."""
    cuts = sorted(chance.randrange(len(octets) + 1) for _ in range(chance.randint(1, 5)))
    return [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]


@pytest.mark.parametrize("limits", [Limits(), SMALL], ids=["usual bounds", "small bounds"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_broken_requests_have_one_answer_and_no_consequences(
    seed: int, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    server = memory_server(limits)
    chance = random.Random(seed)
    served = refused = 0
    for _ in range(REQUESTS // (2 * len(SEEDS))):
        octets = mutated(chance)
        whole = comparable(await conversation(server, octets))
        assert comparable(await conversation(server, *cut(octets, chance))) == whole, octets
        statuses = [int(status) for status in _STATUS.findall(whole[0])]
        # A refusal is the last word.
        assert all(status == 200 for status in statuses[:-1]), octets
        served += statuses.count(200)
        refused += statuses.count(400)
        assert comparable(await conversation(server, GET))[0].startswith(b"HTTP/1.1 200 ")
    # The noise was listened to, not just cut off.
    assert min(served, refused) > REQUESTS // (2 * len(SEEDS)) // 3
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
