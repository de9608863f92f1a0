"""The watchers of `tests.torture`: what they write down is what they were sent, with the hashes."""

import asyncio
from pathlib import Path

import pytest

from tests.api.cinema import SCREENING, eventually
from tests.torture.caller import open_session
from tests.torture.history import read_history
from tests.torture.pictures import check_pictures
from tests.torture.recorder import Recorder
from tests.torture.watchers import Watcher

pytestmark = pytest.mark.gen_test


async def test_hashes_are_written_down_and_fit(cinema, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with Recorder(path) as recorder:

        def noted(kind: str) -> int:
            return sum(record["kind"] == kind for record in recorder.records)

        async with open_session() as session:
            url, token = f"http://127.0.0.1:{cinema.port}", cinema.tokens.issue(9, ttl_seconds=600)
            watching = asyncio.create_task(
                Watcher("w1", session, "node-1", url, SCREENING, token, recorder).watch()
            )
            await eventually(lambda: noted("seen") == 1)
            await cinema.hold(7, 5, 6)
            await eventually(lambda: noted("seen") == 2)
            for number in (1, 2):
                await cinema.screenings.hash_states()
                await eventually(lambda number=number: noted("hashed") == number)
                await cinema.book(8, 7 + number)
            watching.cancel()
            await asyncio.wait([watching])
    (watcher,) = read_history(path).watchers
    assert [sighting.taken for sighting in watcher.sightings if sighting.hash] == [2, 3]
    assert watcher.sightings[0].whole and watcher.sightings[0].since <= watcher.sightings[0].time
    assert check_pictures([watcher], {}) == []
