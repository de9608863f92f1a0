"""A ticket scanner: verifies QR codes offline, with the public key alone (docs/tickets.md)."""

from base64 import urlsafe_b64decode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.papers.ticket_codes import CodeContents, TicketCodes


class ForgedCode(Exception):
    """The text is not a code signed with the key."""


def key_of(codes: TicketCodes) -> bytes:
    """The raw public key that a scanner gets from `GET /api/v1/tickets/qr-key`."""
    return _base64(codes.public_jwk["x"])


def read_code(code: str, public_key: bytes) -> CodeContents:
    """Verify a code without asking the server, as docs/tickets.md describes.

    Args:
        code: text of a QR code.
        public_key: raw key, 32 bytes.

    Raises:
        ForgedCode: the code is malformed or not signed with the key.
    """
    text, _, signature = code.rpartition(".")
    form, *numbers = text.split(".")
    complete = (form, len(numbers)) in (("FR1", 3), ("FR2", 4))
    if len(code) > 200 or not code.isascii() or not complete:
        raise ForgedCode
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(_base64(signature), text.encode())
    except (InvalidSignature, ValueError) as error:
        raise ForgedCode from error
    return CodeContents(*map(int, numbers))


def _base64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
