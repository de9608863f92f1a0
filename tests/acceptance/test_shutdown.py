"""SIGTERM under load: everything acknowledged is in the database, and all sockets get a close frame."""

import asyncio
import random
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.buyers import ONCE, buyers_of
from tests.acceptance.client import Client, Unanswered, http_session
from tests.acceptance.figures import Figures
from tests.acceptance.purchases import CLEAN, PurchaseLog, shop
from tests.acceptance.seat_picture import SeatWatcher
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute, locked
from tests.topology import ONE_SERVER

CHOOSERS, BUYERS, WATCHERS = 40, 8, 20
GOING_AWAY = 1001
MANY_HELD_SECONDS = 120.0
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Chooser:
    """A user who repeatedly holds up to ten seats and releases them, and records what the server granted.

    Attributes:
        held: the acknowledged seats.
        asked_for: the seats held if the last request was executed; None once it is answered.
    """

    def __init__(self, client: Client, hall: SeededScreening) -> None:
        self.client = client
        self.held: set[int] = set()
        self.asked_for: set[int] | None = None
        self._hall = hall
        self._draw = random.Random(client.user_id)

    async def choose(self) -> None:
        """Continue until the server stops."""
        try:
            while True:
                if len(self.held) > 8:
                    self.asked_for = set()
                    answer = await self.client.release_all(self._hall.id)
                else:
                    seat_ids = self._draw.sample(self._hall.seat_ids, 2)
                    self.asked_for = self.held | set(seat_ids)
                    answer = await self.client.reserve(self._hall.id, seat_ids)
                if answer.status in (201, 204):
                    self.held = self.asked_for
                self.asked_for = None
                if answer.status == 503:
                    return
        except Unanswered:
            return


@pytest.mark.gen_test(timeout=510)
async def test_everything_acknowledged_survives_and_sockets_are_closed(
    data_directory: Path, figures: Figures
) -> None:
    log = PurchaseLog("shutdown")
    async with (
        ServerProcess(data_directory) as server,
        http_session() as session,
        buyers_of(server, ONCE) as buyer,
    ):
        chosen, sold = await server.seed(screenings=2, rows=40, seats_per_row=50)
        watchers = [SeatWatcher(server, session, chosen.id, user_id) for user_id in range(1, WATCHERS + 1)]
        await asyncio.gather(*(watcher.connect() for watcher in watchers))
        choosers = [Chooser(Client(server, session, 100 + n), chosen) for n in range(CHOOSERS)]
        crowd = [asyncio.create_task(chooser.choose()) for chooser in choosers]
        for number in range(BUYERS):
            crowd.append(asyncio.create_task(shop(log, buyer(200 + number), [sold], random.Random(number))))
        await log.succeeds(BUYERS)
        async with asyncio.timeout(MANY_HELD_SECONDS):
            while sum(len(chooser.held) for chooser in choosers) < 3 * CHOOSERS:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        told_at = time.monotonic()
        end = await server.terminate()
        await asyncio.gather(*crowd)
        await asyncio.gather(*(watcher.closed() for watcher in watchers))
        assert end.code == 0, server.last_words()
        assert [watcher.close_code for watcher in watchers] == [GOING_AWAY] * WATCHERS

        await server.start()
        stored = {
            chooser.client.holder: {
                seat_id
                for (seat_id,) in execute(
                    server.database.url,
                    "SELECT seat_id FROM holds WHERE holder = %s AND screening_id = %s AND status = 'active'",
                    chooser.client.holder,
                    chosen.id,
                )
            }
            for chooser in choosers
        }
        for chooser in choosers:
            if chooser.asked_for is None:
                assert stored[chooser.client.holder] == chooser.held
            else:
                # The request arrived while the connection was being closed, so the outcome is unknown.
                assert chooser.client.sent_at > told_at, "a pending request was not answered"
                assert stored[chooser.client.holder] in (chooser.held, chooser.asked_for)
        shown: dict[str, set[int]] = {chooser.client.holder: set() for chooser in choosers}
        for entry in await choosers[0].client.availability(chosen.id):
            if entry["status"] == "reserved":
                shown[f"user:{entry['reserved_by']}"].add(entry["seat"]["id"])
        assert shown == stored

        refused = len(log.unsettled)
        await log.settle()
        assert log.audit(server.database.url) == CLEAN
        holds = sum(map(len, stored.values()))
        assert holds > CHOOSERS
        figures(
            exit_seconds=end.seconds, holds=holds, bookings=len(log.acknowledged), bookings_refused=refused
        )


@pytest.mark.gen_test(timeout=510)
async def test_a_second_server_on_the_directory_is_refused(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server:
        rival = ServerProcess(data_directory)
        with pytest.raises(AssertionError, match=f"in use by another server .process {server.pid}."):
            await rival.start()
        async with aiohttp.ClientSession(server.url) as session, session.get("/readyz") as ready:
            assert ready.status == 200


@pytest.mark.gen_test(timeout=300)
async def test_a_request_that_outlasts_the_end_is_no_defect(data_directory: Path, database_url: str) -> None:
    """Its outcome is not known, as if it had taken too long; that is no 500 and no error in the log."""
    settings = {"database_url": database_url, "stop_seconds": 1.0, "statement_timeout_seconds": 60.0}
    server = ServerProcess(data_directory, served_by=ONE_SERVER, **settings)
    async with server, http_session() as session:
        with locked(database_url, "LOCK TABLE tickets"):
            asking = asyncio.create_task(Client(server, session, 1).send("GET", "/api/v1/tickets/my-tickets"))
            while execute(database_url, WAITING) == [(0,)]:  # noqa: ASYNC110 - another process waits
                await asyncio.sleep(0.05)
            end = await server.terminate()
        with suppress(Unanswered):
            assert (await asking).status == 503
    assert end.code == 0
    assert '"level":"error"' not in server.log()


@pytest.mark.gen_test(timeout=300)
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_server_that_is_still_joining_its_cluster_ends_at_once(
    data_directory: Path, workers: int
) -> None:
    connected = asyncio.Event()

    async def keep_waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        with suppress(OSError):
            await reader.read()
        writer.close()

    silent_nats = await asyncio.start_server(keep_waiting, "127.0.0.1", 0)
    url = f"nats://127.0.0.1:{silent_nats.sockets[0].getsockname()[1]}"
    # Each is waited for some seconds.
    settings = {"nats_url": ",".join([url] * 50), "workers": workers}
    async with silent_nats:
        server = ServerProcess(data_directory, served_by=ONE_SERVER, **settings)
        starting = asyncio.create_task(server.start())
        try:
            await connected.wait()
            end = await server.terminate()
            assert end.code == 0, server.last_words()
            assert not server.last_words(), "warnings"
            with pytest.raises(AssertionError, match="the server did not start"):
                await starting
        finally:
            starting.cancel()
            await server.remove()
