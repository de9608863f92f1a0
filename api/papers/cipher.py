"""Encrypts stored personal data with AES-256-GCM, under a key that the database never sees.

Ciphertexts are bound to where they are stored by a context (such as a ticket's code), so that they cannot be
moved from one row to another. A ciphertext starts with a format byte and the nonce.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12


class DecryptionFailed(Exception):
    """The ciphertext was made with another key or context, or has been modified."""


class Cipher:
    """Encrypts with one key, and decrypts with that key or an earlier one.

    Args:
        key: `KEY_BYTES` secret bytes.
        old_keys: earlier keys, used for decryption only.
    """

    def __init__(self, key: bytes, old_keys: Sequence[bytes] = ()) -> None:
        self._ciphers = [AESGCM(key) for key in (key, *old_keys)]

    def encrypt(self, content: bytes, context: bytes) -> bytes:
        """Encrypt with a random nonce, so equal contents have different ciphertexts.

        Args:
            content: plaintext.
            context: associated data, needed again for decryption; not stored in the ciphertext.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._ciphers[0].encrypt(nonce, content, context)

    def decrypt(self, ciphertext: bytes, context: bytes) -> bytes:
        """Decrypt.

        Raises:
            DecryptionFailed: the ciphertext was not made with one of the keys and this context.
        """
        nonce, encrypted = ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
        if ciphertext[:1] != _FORMAT or len(nonce) != _NONCE_BYTES:
            raise DecryptionFailed
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                return cipher.decrypt(nonce, encrypted, context)
        raise DecryptionFailed
