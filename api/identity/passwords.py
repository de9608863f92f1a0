"""Passwords: which ones are good enough, and their Argon2id hashes (RFC 9106).

After NIST SP 800-63B, section 3.1.1: length counts, no mixture of characters is asked for, and what
everybody tries first is refused.
"""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.workers import Workers

SHORTEST, LONGEST = 10, 200
_FEWEST_DISTINCT_CHARACTERS = 5
_RUNS = ("01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz")


def weakness(password: str, email: str) -> str | None:
    """Why a password is not good enough; None if it is.

    Args:
        password: of at least `SHORTEST` characters.
        email: the address of the account that it is for.
    """
    plain = password.casefold()
    if len(set(plain)) < _FEWEST_DISTINCT_CHARACTERS:
        return f"Must have at least {_FEWEST_DISTINCT_CHARACTERS} different characters."
    if plain == email.casefold() or any(plain in run for run in _RUNS):
        return "Must not be the e-mail address or a row of keys."
    return None


class Passwords:
    """Makes and checks hashes, away from the event loop.

    Args:
        workers: where.
        memory_kib: memory that one hash takes.
        passes: how often it is gone through.
    """

    def __init__(self, workers: Workers, memory_kib: int, passes: int) -> None:
        self._workers = workers
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib)
        self._nobodys_hash = ""

    async def hash(self, password: str) -> str:
        """The hash of a password."""
        return await self._workers.run(self._hasher.hash, _normal(password))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether a hash is that of a password. Takes as long where there is no hash."""
        if password_hash is None:
            self._nobodys_hash = self._nobodys_hash or await self.hash("nobody's")
            await self._workers.run(self._verified, self._nobodys_hash, _normal(password))
            return False
        return await self._workers.run(self._verified, password_hash, _normal(password))

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verified(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """The same characters in one form, however a keyboard composes them (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password)
