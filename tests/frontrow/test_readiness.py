"""`/readyz` while PostgreSQL rejects writes, and afterwards."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
from tornado.ioloop import IOLoop

from persistence.embedded import EmbeddedPostgres
from tests.box_office import Guest, make_event, make_type
from tests.database import execute, locked
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=510)

LAG_SECONDS = 0.5
PATIENCE_SECONDS = 60.0

NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full';
END
$$;
CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no_room();
"""
DISK_FULL = "the disk of the database is full"


@pytest.fixture
def house(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[House]:
    limits = ("guest_requests_per_address", "guest_requests_per_session", "guest_creations_per_address")
    unlimited = dict.fromkeys(limits, 1_000_000)
    opened = House(
        database_url, tmp_path, ready_lag_seconds=LAG_SECONDS, ask_timeout_seconds=4.0, **unlimited
    )
    io_loop.run_sync(opened.open)
    yield opened
    io_loop.run_sync(opened.close)


async def reasons(house: House) -> dict[str, str]:
    """Return why the house is not ready."""
    answer = await house.guest.send("GET", "/readyz")
    assert (answer.status == 200) == (answer.json["reasons"] == {})
    assert (answer.json["status"] == "ready") == (answer.status == 200)
    return answer.json["reasons"]


async def until_reason(house: House, component: str | None = None, reason: str = "") -> None:
    """Wait until this is the reason of this component, or until there is none."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await reasons(house)
            if not found if component is None else component in found and reason in found[component]:
                return
            await asyncio.sleep(0.05)


async def on_sale(house: House) -> str:
    """Create an event; return the id of its ticket type."""
    return await make_type(house, await make_event(house))


async def test_a_read_only_database(house: House, cluster: EmbeddedPostgres) -> None:
    name = urlsplit(house.database_url).path.removeprefix("/")

    def switch(change: str) -> None:
        execute(cluster.url, f"ALTER DATABASE {name} {change}")
        ending = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        execute(cluster.url, ending, name)

    guest, kind = Guest(house, "session-0001"), await on_sale(house)
    assert (await guest.reserve(kind)).status == 201
    await until_reason(house)
    switch("SET default_transaction_read_only = on")
    await until_reason(house, "database", "the database is read-only")
    assert (await guest.reserve(kind)).status == 201
    await until_reason(house, "journal", "writes fail: the database is read-only")
    switch("RESET default_transaction_read_only")
    await until_reason(house)


async def test_a_full_disk_while_a_screening_is_on_sale(house: House) -> None:
    guest, kind = Guest(house, "session-0001"), await on_sale(house)
    assert (await guest.reserve(kind)).status == 201
    await until_reason(house)
    execute(house.database_url, NO_ROOM.format(table="screening_events"))
    assert (await guest.reserve(kind)).status == 201
    await until_reason(house, "journal", f"writes fail: {DISK_FULL}")
    execute(house.database_url, "DROP TRIGGER no_room ON screening_events")
    await until_reason(house)


async def test_a_full_disk_before_a_screening_is_loaded(house: House) -> None:
    guest, kind, other = Guest(house, "session-0001"), await on_sale(house), await on_sale(house)
    await until_reason(house)
    execute(house.database_url, NO_ROOM.format(table="screening_epochs"))
    refused = await guest.reserve(kind)
    assert refused.status == 503
    assert await reasons(house) == {"screenings": f"screenings cannot be loaded: {DISK_FULL}"}
    execute(house.database_url, "DROP TRIGGER no_room ON screening_epochs")
    assert (await guest.reserve(other)).status == 201
    await until_reason(house)


async def test_a_locked_table(house: House) -> None:
    guest, kind = Guest(house, "session-0001"), await on_sale(house)
    assert (await guest.reserve(kind)).status == 201
    await until_reason(house)
    with locked(house.database_url, "LOCK TABLE screening_events"):
        assert (await guest.reserve(kind)).status == 201
        await until_reason(house, "journal")
        asked = monotonic()
        await asyncio.gather(*(reasons(house) for _ in range(20)))
        print(f"twenty answers while the table is locked: {monotonic() - asked:.3f} s")
    await until_reason(house)


async def test_a_locked_table_before_a_screening_is_loaded(house: House) -> None:
    guest, kind, other = Guest(house, "session-0001"), await on_sale(house), await on_sale(house)
    await until_reason(house)
    with locked(house.database_url, "LOCK TABLE tickets"):
        assert (await guest.reserve(kind)).status == 503
        await until_reason(house, "screenings")
    assert (await guest.reserve(other)).status == 201
    await until_reason(house)


async def test_a_single_locked_screening_does_not_affect_readiness(house: House) -> None:
    guest, other = Guest(house, "session-0001"), Guest(house, "session-0002")
    event = await make_event(house)
    kind, another = await make_type(house, event), await on_sale(house)
    for who, which in ((guest, kind), (other, another)):
        assert (await who.reserve(which)).status == 201
    await until_reason(house)
    epoch = "SELECT FROM screening_epochs WHERE screening_id = %s FOR UPDATE"
    with locked(house.database_url, epoch, int(event)):
        assert (await guest.reserve(kind)).status == 201
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Sales of other screenings continue all the time.
            while house.server._journal.lag_seconds < 2 or await reasons(house):
                await other.cancel(await other.reserved(another))
    await until_reason(house)
