"""Password strength rules, and Argon2id hashes (RFC 9106).

The rules follow NIST SP 800-63B, section 3.1.1: a minimum length, no required mix of character classes, and
no passwords that attackers try first.
"""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.workers import Workers

SHORTEST, LONGEST = 10, 200
_FEWEST_DISTINCT_CHARACTERS = 5
_RUNS = ("01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz")


def weakness(password: str, email: str) -> str | None:
    """Return the reason why a password is too weak; None if it is acceptable.

    Args:
        password: has at least `SHORTEST` characters.
        email: e-mail address of the account.
    """
    plain = password.casefold()
    if len(set(plain)) < _FEWEST_DISTINCT_CHARACTERS:
        return f"Must have at least {_FEWEST_DISTINCT_CHARACTERS} different characters."
    if plain == email.casefold() or any(plain in run for run in _RUNS):
        return "Must not be the e-mail address or a run of keyboard keys."
    return None


class Passwords:
    """Creates and verifies password hashes in worker threads.

    Args:
        workers: runs the hash function off the event loop.
        memory_kib: memory per hash, in KiB.
        passes: Argon2's time cost, the number of passes over that memory.
    """

    def __init__(self, workers: Workers, memory_kib: int, passes: int) -> None:
        self._workers = workers
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib)
        self._dummy_hash = ""

    async def hash(self, password: str) -> str:
        return await self._workers.run(self._hasher.hash, _normal(password))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Return whether a password matches a hash.

        A missing hash takes as long as a wrong password, so that timing does not reveal whether an account
        exists.
        """
        if password_hash is None:
            self._dummy_hash = self._dummy_hash or await self.hash("dummy")
            await self._workers.run(self._verified, self._dummy_hash, _normal(password))
            return False
        return await self._workers.run(self._verified, password_hash, _normal(password))

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with parameters other than the current ones."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verified(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """Normalize a password, since keyboards compose characters in different ways (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password)
