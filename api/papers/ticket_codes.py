"""Signed codes for the QR codes of tickets, which scanners at the entrance can verify offline.

A code is one line of ASCII, short enough for a small QR symbol:

    FR1.<ticket id>.<screening id>.<seat id>.<signature>

Everything before the last dot is signed with Ed25519 (RFC 8032); the signature is base64url without
padding. The public key is enough to verify a code, but not to create one. `FR1` is the version of the format.
A ticket that was given to somebody else has a new code, which says how often that has happened:

    FR2.<ticket id>.<screening id>.<seat id>.<issue>.<signature>

docs/tickets.md describes what a scanner does.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.papers.printed_codes import PrintedCodes

FORM, FORM_OF_GIVEN = "FR1", "FR2"

_PLACE = r"(?:\.[0-9]{1,19}){2}\.-?[0-9]{1,19}"
_CODE = re.compile(
    rf"(?P<text>{FORM}{_PLACE}|{FORM_OF_GIVEN}{_PLACE}\.[1-9][0-9]{{0,2}})\.(?P<signature>[\w-]{{86}})",
    re.ASCII,
)


class CodeContents(NamedTuple):
    """The contents of a code.

    Attributes:
        issue: how often the ticket was given to somebody else; below `ISSUES_LIMIT`.
    """

    ticket_id: int
    screening_id: int
    seat_id: int
    issue: int = 0


class TicketCodes:
    """Signs codes, and publishes the public keys of the current and earlier signing keys.

    Args:
        seed: 32 secret bytes. The same seed gives the same key, so codes stay valid across restarts.
        old_seeds: seeds of earlier keys, whose codes are still valid.

    Attributes:
        printed: the codes printed under QR codes.
    """

    def __init__(self, seed: bytes, old_seeds: Sequence[bytes] = ()) -> None:
        self.printed = PrintedCodes((seed, *old_seeds))
        self._key, *self._old_keys = [
            Ed25519PrivateKey.from_private_bytes(each) for each in (seed, *old_seeds)
        ]

    def code(self, contents: CodeContents) -> str:
        """Return the QR code of a ticket."""
        form, numbers = (FORM_OF_GIVEN, contents) if contents.issue else (FORM, contents[:-1])
        text = ".".join((form, *map(str, numbers)))
        return f"{text}.{_encoded(self._key.sign(text.encode()))}"

    def contents(self, code: str) -> CodeContents | None:
        """Return what a code says; None if it is malformed, or signed with none of the keys."""
        match = _CODE.fullmatch(code)
        if match is None:
            return None
        signature = urlsafe_b64decode(match["signature"] + "==")
        for key in (self._key, *self._old_keys):
            with suppress(InvalidSignature):
                key.public_key().verify(signature, match["text"].encode())
                return CodeContents(*map(int, match["text"].split(".")[1:]))
        return None

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key (RFC 8037), with its PEM encoding added."""
        return _jwk(self._key)

    @property
    def old_public_jwks(self) -> list[dict[str, str]]:
        """Public keys of earlier signing keys, whose codes are still valid."""
        return [_jwk(key) for key in self._old_keys]


def _jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    known = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}
    return {**known, "x": _encoded(key.public_key().public_bytes_raw()), "pem": pem}


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
