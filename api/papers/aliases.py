"""Aliases for holders whose identity is private: they tell holders apart and do not identify them."""

from functools import lru_cache
from hashlib import blake2b

ANOTHER_ENDPOINT = "~box_office"
"""The alias shown for a seat without a holder. No client can have this id."""

_REMEMBERED_ALIASES = 4096
_ALIAS_BYTES = 8


class Aliases:
    """Aliases for holders whose identity is private. All servers with the same key show the same ones.

    Args:
        key: secret, 16 to 64 bytes; whoever knows it can find out which alias a user has.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.of = lru_cache(maxsize=_REMEMBERED_ALIASES)(self._of)

    def _of(self, holder: str | None) -> str:
        if holder is None:
            return ANOTHER_ENDPOINT
        return "~" + blake2b(holder.encode(), key=self._key, digest_size=_ALIAS_BYTES).hexdigest()
