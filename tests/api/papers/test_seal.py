"""Encrypted content can only be read with the same key and context."""

import pytest

from api.papers.seal import BrokenSeal, Seal

SEAL = Seal(b"k" * 32)
SECRET = b"ada@home.example"


def test_sealed_content_is_opened_with_the_same_context() -> None:
    sealed = SEAL.closed(SECRET, b"ticket 1")
    assert SECRET not in sealed
    assert SEAL.opened(sealed, b"ticket 1") == SECRET
    assert SEAL.closed(SECRET, b"ticket 1") != sealed


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_truncated_ciphertexts_are_refused(length: int) -> None:
    with pytest.raises(BrokenSeal):
        SEAL.opened(SEAL.closed(SECRET, b"")[:length], b"")


def test_ciphertexts_with_another_key_context_or_byte_are_refused() -> None:
    sealed = SEAL.closed(SECRET, b"ticket 1")
    for seal, text, place in (
        (Seal(b"l" * 32), sealed, b"ticket 1"),
        (SEAL, sealed, b"ticket 2"),
        (SEAL, b"\x02" + sealed[1:], b"ticket 1"),
        (SEAL, sealed[:-1] + bytes((sealed[-1] ^ 1,)), b"ticket 1"),
    ):
        with pytest.raises(BrokenSeal):
            seal.opened(text, place)
