"""Nothing grows, however long a server is used: memory, descriptors, tasks, timers, database connections.

`make soak` uses a server for an hour (`FRONTROW_TEST_SOAK_CHURN_SECONDS`), `make test` for some seconds
(`FRONTROW_TEST_CHURN_SECONDS`), which find only what every request leaves behind. Everything that the server
keeps by intention is bounded, or ends soon with the settings here, so after the warm-up nothing may grow.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.acceptance.client import http_session
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.server_process import ServerProcess
from tests.api.webhooks.receiver import Receiver
from tests.inbox import Inbox
from tests.soak.crowd import Crowd
from tests.soak.onlookers import Onlooker, manage
from tests.soak.samples import Samples
from tests.soak.slopes import slope_of
from tests.soak.visitors import Visitor

VISITORS, ONLOOKERS = 24, 12
SAMPLES = 24
"""Minimum number of measurements in a run."""

WARM_UP_SHARE = 1 / 3
LONGEST_WARM_UP_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 5.0

MOST_GROWN = {
    "memory_mb": 30.0,
    "descriptors": 60.0,
    "threads": 4.0,
    "sessions": 4.0,
    "tasks": 300.0,
    "timers": 300.0,
    "screenings": 15.0,
    "holds": 300.0,
    "waiting": 60.0,
    "journal": 200.0,
    "pool": 4.0,
    "sockets": 60.0,
}
"""Allowed growth over a whole run, for the noise of the load. A leak per request adds a thousand in a short
run and hundreds of thousands in an hour; a leak per account adds thousands."""

MOST_BUSY_SHARE = 0.2

EXPLAINED = re.compile(
    "All connections to the database are busy|has not answered within|canceling statement|lock timeout"
)
"""Warnings only say that the machine is busy."""

SETTINGS = {
    "hold_seconds": "4",
    "offer_seconds": "10",
    "guest_hold_minutes": "1",
    "guest_hold_minutes_limit": "2",
    "idle_seconds": "4",
    "sweep_seconds": "1",
    "attempts_window_seconds": "2",
    "attempts_per_address": "100000",
    "guest_requests_per_address": "1000000",
    "guest_creations_per_address": "1000000",
    "guest_seats_limit": "100000",
    "password_memory_kib": "1024",
    "password_passes": "1",
    "held_seats_limit": "20",
    "webhook_private_addresses": "true",
    "state_hash_seconds": "1",
}


async def churn(seconds: int, data_directory: Path, figures: Figures) -> None:
    """Use a server for a while, and judge its growth."""
    inbox, receiver = Inbox(), Receiver()
    await inbox.open()
    try:
        async with (
            ServerProcess(data_directory, smtp_url=inbox.url, **SETTINGS) as server,
            http_session() as session,
        ):
            crowd = Crowd(server, session, seed=1)
            await crowd.open()
            samples = Samples(server, session)
            async with asyncio.TaskGroup() as clients:
                for _ in range(VISITORS):
                    clients.create_task(Visitor(crowd).come_and_go())
                for _ in range(ONLOOKERS):
                    clients.create_task(Onlooker(crowd).come_and_go())
                clients.create_task(manage(crowd, receiver.url))
                counted = await _watch(crowd, samples, seconds, inbox, receiver)
            log = server.log()
    finally:
        await receiver.close()
        await inbox.close()
    warm_up = sum(time < samples.times[0] + _warm_up_seconds(seconds) for time in samples.times)
    grown = {name: samples.grown(name, warm_up) for name in MOST_GROWN}
    warnings = [line for line in map(json.loads, log.splitlines()) if line["level"] not in ("info", "debug")]
    busy = sum(number for (_, status), number in crowd.answers.items() if status == 503)
    figures(
        operations=crowd.operations,
        busy=busy,
        answers=len(crowd.answers),
        mails=counted["mails"],
        webhooks=counted["webhooks"],
        **{f"{name} at the end": samples.values[name][-1] for name in MOST_GROWN},
        **{f"{name} grown": value for name, value in grown.items()},
    )
    assert {name: value for name, value in grown.items() if value > MOST_GROWN[name]} == {}
    assert [line for line in warnings if not EXPLAINED.search(line["message"])] == []
    assert busy < crowd.operations * MOST_BUSY_SHARE
    assert counted["mails"] and counted["webhooks"]
    assert {status for _, status in crowd.answers} >= {200, 201, 204, 401, 403, 404, 405, 409, 422}


def _warm_up_seconds(seconds: int) -> float:
    return min(seconds * WARM_UP_SHARE, LONGEST_WARM_UP_SECONDS)


async def _watch(
    crowd: Crowd, samples: Samples, seconds: int, inbox: Inbox, receiver: Receiver
) -> dict[str, int]:
    """Measure until the time is over. Returns the number of mails and webhooks."""
    counted = {"mails": 0, "webhooks": 0}
    pause_seconds = min(seconds / SAMPLES, LONGEST_PAUSE_SECONDS)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    try:
        while loop.time() < until:
            await asyncio.sleep(pause_seconds)
            await samples.take()
            crowd.keep_pace(samples.processor_share())
            counted["webhooks"] += len(receiver.got)
            receiver.got.clear()
            while not inbox.empty:
                await inbox.next_mail()
                counted["mails"] += 1
    finally:
        crowd.over.set()
    return counted


@pytest.mark.timeout(600)
@pytest.mark.gen_test(timeout=510)
async def test_nothing_grows(data_directory: Path, figures: Figures) -> None:
    await churn(count_of("CHURN_SECONDS", 20), data_directory, figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=86_400)
async def test_nothing_grows_for_long(data_directory: Path, figures: Figures) -> None:
    await churn(count_of("SOAK_CHURN_SECONDS", 3600), data_directory, figures)


def test_a_leak_is_told_from_noise() -> None:
    times = [5.0 * number for number in range(100)]
    steady = [200.0 + 30 * (number * 7919 % 13 - 6) for number in range(100)]
    assert abs(slope_of(times, steady) * times[-1]) < 30
    spiked = [900.0 if number % 5 == 0 else value for number, value in enumerate(steady)]
    assert abs(slope_of(times, spiked) * times[-1]) < 60
    leaking = [value + number for number, value in enumerate(steady)]
    assert 60 < slope_of(times, leaking) * times[-1] < 140
