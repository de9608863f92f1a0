"""The hash with which the server proves what a client should see, as docs/websocket.md describes it."""

from collections.abc import Iterable

from frontrow_client.updates import LiveSeat

_CODES = {"reserved": 1, "booked": 2}
_MASK = 0xFFFFFFFF


def hash_of(seats: Iterable[LiveSeat]) -> str:
    """Return the hash of some seats: eight hexadecimal digits."""
    total = sum(
        [
            _seat_hash(seat.seat_id, _CODES[seat.status])
            for seat in seats
            if seat.status in _CODES and not seat.blocked
        ]
    )
    return f"{total & _MASK:08x}"


def _seat_hash(seat_id: int, code: int) -> int:
    return _mix(_mix(_mix(seat_id & _MASK) ^ (seat_id >> 32)) ^ code)


def _mix(word: int) -> int:
    """The finaliser of MurmurHash3 for 32 bits."""
    word = (word ^ (word >> 16)) * 0x85EBCA6B & _MASK
    word = (word ^ (word >> 13)) * 0xC2B2AE35 & _MASK
    return word ^ (word >> 16)
