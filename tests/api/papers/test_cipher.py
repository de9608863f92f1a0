"""Encrypted content can only be read with the same key and context."""

import pytest

from api.papers.cipher import Cipher, DecryptionFailed

CIPHER = Cipher(b"k" * 32)
SECRET = b"ada@home.example"


def test_sealed_content_is_opened_with_the_same_context() -> None:
    ciphertext = CIPHER.encrypt(SECRET, b"ticket 1")
    assert SECRET not in ciphertext
    assert CIPHER.decrypt(ciphertext, b"ticket 1") == SECRET
    assert CIPHER.encrypt(SECRET, b"ticket 1") != ciphertext


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_truncated_ciphertexts_are_refused(length: int) -> None:
    with pytest.raises(DecryptionFailed):
        CIPHER.decrypt(CIPHER.encrypt(SECRET, b"")[:length], b"")


def test_ciphertexts_with_another_key_context_or_byte_are_refused() -> None:
    ciphertext = CIPHER.encrypt(SECRET, b"ticket 1")
    for cipher, text, place in (
        (Cipher(b"l" * 32), ciphertext, b"ticket 1"),
        (CIPHER, ciphertext, b"ticket 2"),
        (CIPHER, b"\x02" + ciphertext[1:], b"ticket 1"),
        (CIPHER, ciphertext[:-1] + bytes((ciphertext[-1] ^ 1,)), b"ticket 1"),
    ):
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(text, place)
