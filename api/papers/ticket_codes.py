"""What stands in a ticket's QR code: which ticket it is, signed, so that a door needs no network to check it.

A code is one line of ASCII, short enough for a small symbol:

    FR1.<ticket id>.<screening id>.<seat id>.<signature>

Everything before the last dot is signed with Ed25519 (RFC 8032); the signature is base64url without
padding. Whoever knows the public key can check a code and nobody else can make one. `FR1` names this form;
another form gets another name. How a scanner goes about it stands in docs/tickets.md.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FORM = "FR1"
_LONGEST = 200


class Admission(NamedTuple):
    """What a code says."""

    ticket_id: int
    screening_id: int
    seat_id: int


class ForgedCode(Exception):
    """The text is no code that was signed with the key."""


class TicketCodes:
    """Signs codes with one key, and knows the earlier ones, whose codes are still good.

    Args:
        seed: 32 secret bytes; the same seed gives the same key, so that codes stay good over restarts.
        old_seeds: seeds of earlier keys, which only verify.
    """

    def __init__(self, seed: bytes, old_seeds: Sequence[bytes] = ()) -> None:
        self._key, *self._old_keys = [
            Ed25519PrivateKey.from_private_bytes(each) for each in (seed, *old_seeds)
        ]

    def code(self, admission: Admission) -> str:
        """The code of a ticket."""
        text = ".".join((FORM, *map(str, admission)))
        return f"{text}.{_encoded(self._key.sign(text.encode()))}"

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that scanners need."""
        return _raw(self._key)

    @property
    def public_jwk(self) -> dict[str, str]:
        """The same as a JSON Web Key (RFC 8037), with the same in PEM."""
        return _jwk(self._key)

    @property
    def old_public_jwks(self) -> list[dict[str, str]]:
        """The keys whose codes are still good, though new ones are not signed with them."""
        return [_jwk(key) for key in self._old_keys]


def read_code(code: str, public_key: bytes) -> Admission:
    """What a scanner does.

    Args:
        code: the text of a QR code.
        public_key: 32 bytes.

    Raises:
        ForgedCode: nobody with the key has signed this.
    """
    text, _, signature = code.rpartition(".")
    form, *numbers = text.split(".")
    if len(code) > _LONGEST or not code.isascii() or form != FORM or len(numbers) != len(Admission._fields):
        raise ForgedCode
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(_decoded(signature), text.encode())
    except (InvalidSignature, ValueError) as error:
        raise ForgedCode from error
    return Admission(*map(int, numbers))


def _raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    known = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}
    return {**known, "x": _encoded(_raw(key)), "pem": pem}


def _encoded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
