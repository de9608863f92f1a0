"""Hashes of the state of a screening, which tell whether two pictures of it are the same.

A hash is the sum of the hashes of its seats, so a changed seat costs two additions, and the order of changes
does not matter. It detects faults, not attacks: whoever can write to the database can compute it.
"""

from hashlib import blake2b

_MODULUS = 2**64
_SIGN = 2**63
_DIGEST_BYTES = 8


def seat_hash(seat_id: int, status: str, holder: str) -> int:
    """Return the 64-bit hash of a seat or place that somebody has.

    Args:
        seat_id: the seat.
        status: "held", "pending" or "booked".
        holder: who has it.
    """
    content = f"{seat_id}:{status}:{holder}".encode()
    return int.from_bytes(blake2b(content, digest_size=_DIGEST_BYTES).digest(), "big")


def as_stored(total: int) -> int:
    """Return a sum of hashes as a signed 64-bit number, as PostgreSQL has it."""
    return (total + _SIGN) % _MODULUS - _SIGN
