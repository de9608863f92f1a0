"""Secrets are changed while tickets, tokens and stored responses from before exist."""

from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from tests.api.caller import TICKETS
from tests.box_office import ADA, BOB, Guest, data, make_event, make_type
from tests.house import House
from tests.scanner import read_code
from tests.signing_keys import STRONG_SECRET

OLD_SECRET, OLD_KEY, NEW_KEY = STRONG_SECRET[::-1], STRONG_SECRET[1:] + "k", STRONG_SECRET[1:] + "n"
SESSION = "guest-of-an-event"


def scanned(x: str) -> bytes:
    return urlsafe_b64decode(x + "=")


@pytest.mark.gen_test
async def test_old_signatures_and_data_stay_valid(database_url: str, tmp_path: Path) -> None:
    before = House(database_url, tmp_path, jwt_secret=OLD_SECRET, personal_data_key=OLD_KEY)
    await before.open()
    token = before.token(7)
    key = (await before.guest.send("GET", f"{TICKETS}/qr-key")).json
    guest = Guest(before, SESSION, token)
    reservation = await guest.reserved(await make_type(before, await make_event(before)), 2)
    tickets = data(await guest.purchase(reservation, ADA, BOB, key="bought"))["tickets"]
    await before.close()

    after = House(
        database_url,
        tmp_path,
        jwt_secret=STRONG_SECRET,
        jwt_old_secrets=(OLD_SECRET,),
        personal_data_key=NEW_KEY,
        personal_data_old_keys=(OLD_KEY,),
    )
    await after.open()
    guest = Guest(after, SESSION, token)
    keys = (await after.guest.send("GET", f"{TICKETS}/qr-key")).json
    assert [old["x"] for old in keys["old_keys"]] == [key["x"]] and keys["x"] != key["x"]
    # The response stored for the key was encrypted, and so are the names of the holders.
    kept = await guest.purchase(reservation, ADA, BOB, key="bought")
    assert kept.headers["Idempotency-Replayed"] == "true" and data(kept)["tickets"] == tickets
    again = data(await guest.purchase(reservation, ADA, BOB))["tickets"]
    assert [ticket["holder"]["fullName"] for ticket in again] == [ADA["fullName"], BOB["fullName"]]
    # New codes are signed with the new key.
    assert read_code(again[0]["qrCode"], scanned(keys["x"])) == read_code(
        tickets[0]["qrCode"], scanned(key["x"])
    )
    await after.close()

    without = House(database_url, tmp_path, jwt_secret=STRONG_SECRET, personal_data_key=NEW_KEY)
    await without.open()
    assert (await Guest(without, SESSION, token).purchase(reservation, ADA, BOB)).status == 401
    lost = data(await Guest(without, SESSION, without.token(7)).purchase(reservation, ADA, BOB, key="bought"))
    assert [ticket["holder"]["fullName"] for ticket in lost["tickets"]] == [None, None]
    await without.close()
