"""The code printed under the QR code of a ticket that has no stored one: its number, encrypted.

Nothing is stored to make it, and a guess is the code of a ticket as rarely as if codes were random: the
numbers are permuted by an alternating Feistel network over the digits of a code, the structure of FF1 in
NIST SP 800-38G, with keyed BLAKE2b as its round function.
"""

from collections.abc import Sequence
from hashlib import blake2b

from api.papers.readable_codes import ALPHABET, TICKET_CHARACTERS, TICKET_CODES, number_of, ticket_code_of

ISSUES_LIMIT = 1000
"""Upper bound of the number of a ticket's issue, exclusive."""

_LEFT: int = len(ALPHABET) ** (TICKET_CHARACTERS // 2)
_RIGHT: int = TICKET_CODES // _LEFT
_ROUNDS = 10
_HALF_BYTES, _DIGEST_BYTES = 8, 16


class PrintedCodes:
    """Makes and reads printed codes.

    Args:
        seeds: 32 secret bytes each. The first one makes codes, all of them read them.
    """

    def __init__(self, seeds: Sequence[bytes]) -> None:
        self._keys = [blake2b(key=seed, person=b"printed codes").digest() for seed in seeds]

    def code(self, ticket_id: int, issue: int) -> str:
        """Return a code such as "7K4M-2XPD-9RTA-CW3E".

        Args:
            ticket_id: below `TICKET_CODES / ISSUES_LIMIT`, about 2.6e17.
            issue: how often the ticket was given to somebody else.
        """
        number = ticket_id * ISSUES_LIMIT + issue
        if issue >= ISSUES_LIMIT or number >= TICKET_CODES:
            raise OverflowError(f"there is no code for issue {issue} of ticket {ticket_id}")
        left, right = divmod(number, _RIGHT)
        for turn in range(0, _ROUNDS, 2):
            left = (left + self._mixed(self._keys[0], turn, right)) % _LEFT
            right = (right + self._mixed(self._keys[0], turn + 1, left)) % _RIGHT
        return ticket_code_of(left * _RIGHT + right)

    def read(self, code: str) -> tuple[int, int] | None:
        """Return the ticket and the issue that a code could be for; None if it is misspelled.

        Every code is that of some number, so the ticket may not exist. With another key a code becomes a
        random number, which is higher than those of real tickets: of several the lowest is right.
        """
        number = number_of(code)
        if number is None:
            return None
        return divmod(min([self._decrypted(key, number) for key in self._keys]), ISSUES_LIMIT)

    def _decrypted(self, key: bytes, number: int) -> int:
        left, right = divmod(number, _RIGHT)
        for turn in range(_ROUNDS - 1, 0, -2):
            right = (right - self._mixed(key, turn, left)) % _RIGHT
            left = (left - self._mixed(key, turn - 1, right)) % _LEFT
        return left * _RIGHT + right

    @staticmethod
    def _mixed(key: bytes, turn: int, half: int) -> int:
        content = bytes([turn]) + half.to_bytes(_HALF_BYTES, "big")
        return int.from_bytes(blake2b(content, key=key, digest_size=_DIGEST_BYTES).digest())
