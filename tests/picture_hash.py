"""The hash of what a socket shows, computed as docs/websocket.md says and from nothing else.

Servers and clients have code of their own for it; tests compare that with this.
"""

from collections.abc import Mapping
from functools import cache

CODES = {"reserved": 1, "booked": 2}
"""Numbers of the statuses that enter the hash. Seats that are free or kept back do not enter it."""


def hash_of(picture: Mapping[int, str]) -> str:
    """Return the hash of a picture.

    Args:
        picture: status by seat.
    """
    total = sum(seat_hash(seat, CODES[status]) for seat, status in picture.items() if status in CODES)
    return f"{total % 2**32:08x}"


@cache
def seat_hash(seat: int, code: int) -> int:
    """Return what one seat adds."""
    return _mix(_mix(_mix(seat % 2**32) ^ (seat // 2**32)) ^ code)


def _mix(word: int) -> int:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        word = ((word ^ (word >> shift)) * factor) % 2**32
    return word ^ (word >> 16)
