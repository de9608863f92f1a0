"""A backup made while the server sells, restored into an empty data directory: tickets stay valid."""

import asyncio
import os
import sys
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from frontrow.signing import KEY_FILE, PERSONAL_DATA_KEY_FILE
from tests.acceptance.buyers import ONCE, Buyer, buyers_of
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import TICKETS, Caller
from tests.box_office import ADA, BOB, Guest, data, make_event, make_type
from tests.database import execute, temporary_data_directory

COMMAND_SECONDS = 60.0
BUYER = 7
SESSION = "guest-of-an-event"


class Outcome(NamedTuple):
    code: int
    said: str


async def frontrow(*arguments: object) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontrow", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith("FRONTROW_")},
    )
    async with asyncio.timeout(COMMAND_SECONDS):
        said, _ = await process.communicate()
    return Outcome(process.returncode or 0, said.decode())


class Front:
    """Adapts a server process to the helpers that the tests of the ticket guide use."""

    def __init__(self, server: ServerProcess, token: str) -> None:
        self.base_url = server.url
        self.admin = Caller(server.url, server.token(1, admin=True))
        self.guest = Caller(server.url)
        self.buyer = Caller(server.url, token)


async def admitted(guest: Caller, code: str) -> int:
    """Verify a code like the scanner in docs/tickets.md, and return its ticket id."""
    key = (await guest.send("GET", f"{TICKETS}/qr-key")).json
    text, _, signature = code.rpartition(".")
    for x in (key["x"], *(old["x"] for old in key["old_keys"])):
        try:
            Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x + "=")).verify(
                urlsafe_b64decode(signature + "=="), text.encode()
            )
        except InvalidSignature:
            continue
        return int(text.split(".")[1])
    raise AssertionError("the code is not valid")


async def holders(front: Any, token: str, reservation: str) -> list[str]:
    """Repeat a purchase and return the names of its ticket holders, which are stored encrypted."""
    repeated = await Guest(front, SESSION, token).purchase(reservation, ADA, BOB)
    return [ticket["holder"]["fullName"] for ticket in data(repeated)["tickets"]]


async def sell_on(buyer: Buyer, screening_id: int, seat_ids: range, sold: list[int]) -> None:
    for seat_id in seat_ids:
        await buyer.book(screening_id, [seat_id], payment_id=f"pay-{seat_id}")
        sold.append(seat_id)


@pytest.mark.gen_test(timeout=510)
async def test_a_backup_is_restored_into_an_empty_directory(data_directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "box-office.backup"
    async with ServerProcess(data_directory) as server, buyers_of(server, ONCE) as buyer:
        (hall,) = await server.seed(screenings=1, rows=20, seats_per_row=50)
        token = server.token(BUYER)
        front: Any = Front(server, token)
        event = await make_event(front)
        guest = Guest(front, SESSION, token)
        reservation = await guest.reserved(await make_type(front, event), 2)
        tickets = data(await guest.purchase(reservation, ADA, BOB))["tickets"]
        ids, code = [int(ticket["id"]) for ticket in tickets], tickets[0]["qrCode"]
        assert await admitted(front.guest, code) == ids[0]

        sold: list[int] = []
        selling = asyncio.create_task(sell_on(buyer(BUYER + 1), hall.id, hall.seat_ids, sold))
        while len(sold) < 5:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)
        before = list(sold)
        made = await frontrow("backup", file, "--data-dir", data_directory)
        assert made.code == 0 and made.said.startswith("reading the database\nwriting "), made.said
        assert made.said.endswith(f"backed up to {file}\n")
        assert len(sold) > len(before), "the server did not sell meanwhile"
        selling.cancel()
        await asyncio.gather(selling, return_exceptions=True)
        assert file.stat().st_mode & 0o777 == 0o600
        assert os.listdir(tmp_path) == [file.name]

        beside = await frontrow("restore", file, "--data-dir", data_directory)
        assert beside.code == 1 and "is in use by another server" in beside.said

    with temporary_data_directory() as folder:
        restored = await frontrow("restore", file, "--data-dir", folder)
        assert restored.code == 0, restored.said
        assert "restoring tickets" in restored.said
        assert restored.said.endswith(f"restored from {file}\n") and "note:" not in restored.said
        for name in (KEY_FILE, PERSONAL_DATA_KEY_FILE):
            assert (folder / name).read_text() == (data_directory / name).read_text()
            assert (folder / name).stat().st_mode & 0o777 == 0o600

        async with ServerProcess(folder) as server:
            front = Front(server, token)
            assert await admitted(front.guest, code) == ids[0]
            assert await holders(front, token, reservation) == [ADA["fullName"], BOB["fullName"]]
            rows = execute(
                server.database.url, "SELECT seat_id FROM tickets WHERE screening_id = %s", hall.id
            )
            found = {seat_id for (seat_id,) in rows}
            assert set(before) <= found
            assert (await front.buyer.book(hall.id, [before[0]], payment_id="x")).code == "refund_required"
            free = next(seat_id for seat_id in hall.seat_ids if seat_id not in found)
            assert (await front.buyer.book(hall.id, [free], payment_id="y")).status == 201
            await server.terminate()
