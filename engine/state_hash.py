"""Hashes that tell whether two pictures of a screening are the same: the owner's, the database's, a client's.

They detect faults, not attacks. `state_digest` covers who has which seat; the owner stores it with the
journal now and then. `picture_hash` covers what everybody sees, and goes to the sockets; docs/websocket.md
publishes how it is computed.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from engine.records import Layout

_DIGEST_BYTES = 8
_MASK = 0xFFFFFFFF

RESERVED: Final = 1
BOOKED: Final = 2
"""The codes of seats in the hash of a picture. Seats in other states do not count."""


def state_digest(taken: Iterable[tuple[int, str, str]]) -> int:
    """Return a hash of the seats and places that somebody has, as a signed 64-bit number.

    Args:
        taken: seat, "held", "pending" or "booked", and the holder, in any order.
    """
    lines = "\n".join([f"{seat_id}:{status}:{holder}" for seat_id, status, holder in sorted(taken)])
    digest = blake2b(lines.encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)


def seat_hash(seat_id: int, code: int) -> int:
    """Return the number that a seat adds to the hash of a picture, from 0 to 2^32 - 1.

    Args:
        seat_id: a seat of a layout.
        code: `RESERVED` or `BOOKED`.
    """
    mixed = _mix(seat_id & _MASK)
    return _mix(_mix(mixed ^ (seat_id >> 32)) ^ code)


def _mix(word: int) -> int:
    """The finaliser of MurmurHash3 for 32 bits: every bit of the argument changes half of the result's."""
    word ^= word >> 16
    word = word * 0x85EBCA6B & _MASK
    word ^= word >> 13
    word = word * 0xC2B2AE35 & _MASK
    return word ^ word >> 16


def _known_hashes(layout: Layout) -> dict[tuple[int, int], int]:
    """Return the cache of `seat_hash` by seat and code: empty at first, since most seats are never needed."""
    return {}


def picture_hash(layout: Layout, codes: Iterable[tuple[int, int]]) -> tuple[str, int]:
    """Return the hash of what everybody sees of a screening, and how many seats count.

    Args:
        layout: has the seats; others do not count.
        codes: seats with `RESERVED` or `BOOKED`.

    Returns:
        Eight hexadecimal digits, and the number of seats.
    """
    known, total, taken = layout.derived(_known_hashes), 0, 0
    for seat in codes:
        added = known.get(seat)
        if added is None:
            if seat[0] not in layout.by_id:
                continue
            added = known[seat] = seat_hash(*seat)
        total += added
        taken += 1
    return f"{total & _MASK:08x}", taken
