"""Codes that people read aloud and type: no two characters look alike, and a slip is noticed.

Of 0 O Q, 1 I L, 2 Z, 5 S, 6 G, 8 B and U V one at most is in the alphabet, which leaves 23 characters. The
last character of a code is a check: since 23 is prime, the weighted sum of all tells one wrong character, and
two neighbours that are swapped.
"""

import secrets
from collections.abc import Sequence

ALPHABET = "2346789ACDEFHJKMNPRTWXY"
GROUP = 4
TICKET_CHARACTERS = 15
"""Random characters of a ticket's code: 67 bits, so that no two tickets ever get the same."""

_SHORTEST = 2 * GROUP - 1


def code_of(number: int) -> str:
    """The code of a reservation, e.g. "2222-22TK-R7": that of a number, and of no other number.

    Args:
        number: zero or more.
    """
    values: list[int] = []
    while number or len(values) < _SHORTEST:
        number, value = divmod(number, len(ALPHABET))
        values.append(value)
    return _written(values[::-1])


def new_ticket_code() -> str:
    """A code that nobody can guess, for a ticket."""
    return _written([secrets.randbelow(len(ALPHABET)) for _ in range(TICKET_CHARACTERS)])


def _written(values: Sequence[int]) -> str:
    characters = "".join(ALPHABET[value] for value in (*values, _check(values)))
    return "-".join(characters[start : start + GROUP] for start in range(0, len(characters), GROUP))


def _check(values: Sequence[int]) -> int:
    # Weights repeat after 22, none is 0, and neighbours have different ones.
    weighted = (value * (place % (len(ALPHABET) - 1) + 1) for place, value in enumerate(reversed(values), 1))
    return -sum(weighted) % len(ALPHABET)
