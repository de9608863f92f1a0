"""Codes that people read aloud and type, with an unambiguous alphabet and a check character.

At most one character of each look-alike group (0 O Q, 1 I L, 2 Z, 5 S, 6 G, 8 B, U V) is in the alphabet,
which leaves 23. The last character of a code is a weighted checksum. Since 23 is prime, it detects any single
wrong character and any swap of two neighbours.
"""

import secrets
from collections.abc import Sequence

ALPHABET = "2346789ACDEFHJKMNPRTWXY"
GROUP = 4
TICKET_CHARACTERS = 15
"""Random characters in a ticket code: 67 bits, enough to avoid collisions and guessing."""

TICKET_CODES = len(ALPHABET) ** TICKET_CHARACTERS
"""Number of possible ticket codes."""

_SHORTEST = 2 * GROUP - 1


def code_of(number: int) -> str:
    """Return the code of a reservation, e.g. "2222-22TK-R7"; distinct numbers have distinct codes.

    Args:
        number: id of the reservation, at least 0.
    """
    values: list[int] = []
    while number or len(values) < _SHORTEST:
        number, value = divmod(number, len(ALPHABET))
        values.append(value)
    return _written(values[::-1])


def new_ticket_code() -> str:
    """Return a random code for a ticket."""
    return _written([secrets.randbelow(len(ALPHABET)) for _ in range(TICKET_CHARACTERS)])


def ticket_code_of(number: int) -> str:
    """Return the code of a number below `TICKET_CODES`; distinct numbers have distinct codes."""
    values = []
    for _ in range(TICKET_CHARACTERS):
        number, value = divmod(number, len(ALPHABET))
        values.append(value)
    return _written(values[::-1])


def number_of(ticket_code: str) -> int | None:
    """Return the number of a ticket code as `spelled` returns it; None if it is misspelled."""
    values = [ALPHABET.find(character) for character in ticket_code.replace("-", "")]
    if len(values) != TICKET_CHARACTERS + 1 or min(values) < 0 or _check(values[:-1]) != values[-1]:
        return None
    number = 0
    for value in values[:-1]:
        number = number * len(ALPHABET) + value
    return number


def spelled(typed: str) -> str:
    """Return a code that somebody has typed as it is written: in capitals, and in groups if it is a ticket's.

    Args:
        typed: with any case, blanks and dashes.
    """
    characters = "".join(character for character in typed.upper() if character.isalnum())
    return _grouped(characters) if len(characters) == TICKET_CHARACTERS + 1 else characters


def _grouped(characters: str) -> str:
    return "-".join(characters[start : start + GROUP] for start in range(0, len(characters), GROUP))


def _written(values: Sequence[int]) -> str:
    return _grouped("".join(ALPHABET[value] for value in (*values, _check(values))))


def _check(values: Sequence[int]) -> int:
    # Weights run from 1 to 22 and repeat; none is 0, and neighbours have different weights.
    weighted = (value * (place % (len(ALPHABET) - 1) + 1) for place, value in enumerate(reversed(values), 1))
    return -sum(weighted) % len(ALPHABET)
