"""Keeps personal data unreadable where it is stored: AES-256-GCM under a key that the database never sees.

What is sealed is bound to its place by a context (such as the code of a ticket), so that nothing can be
moved from one row to another. A sealed text begins with the name of its form, then the nonce.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_FORM = b"\x01"
_NONCE_BYTES = 12


class BrokenSeal(Exception):
    """It was sealed with another key or for another place, or it has been changed."""


class Seal:
    """Seals with one key, and opens what was sealed with it or with an earlier one.

    Args:
        key: `KEY_BYTES` secret bytes.
        old_keys: earlier keys, which only open.
    """

    def __init__(self, key: bytes, old_keys: Sequence[bytes] = ()) -> None:
        self._ciphers = [AESGCM(key) for key in (key, *old_keys)]

    def closed(self, content: bytes, context: bytes) -> bytes:
        """The content, sealed for a place. The same content is never sealed alike twice.

        Args:
            content: what nobody else is to read.
            context: names the place; it is not kept.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return _FORM + nonce + self._ciphers[0].encrypt(nonce, content, context)

    def opened(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed for the place.

        Raises:
            BrokenSeal: it was not sealed with one of the keys for this place.
        """
        nonce, encrypted = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _FORM or len(nonce) != _NONCE_BYTES:
            raise BrokenSeal
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                return cipher.decrypt(nonce, encrypted, context)
        raise BrokenSeal
