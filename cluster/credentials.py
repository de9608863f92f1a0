"""Reads a credentials file of NATS (`.creds`): the JWT of a user, and the seed of the user's Ed25519 key.

The client library would read it with the package `nkeys`, which is only published as source code.
"""

import base64
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_BLOCK = r"-+BEGIN {0}-+\s+(\S+)\s+-+END {0}-+"
_SEED_PREFIX_BYTES = 2
_SEED_BYTES = 32
_CHECKSUM_BYTES = 2


class Credentials:
    """The user that this node is for NATS.

    Args:
        path: the file. It is read once.

    Raises:
        ValueError: the file has no JWT or no seed.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        text = path.read_text()
        user = re.search(_BLOCK.format("NATS USER JWT"), text)
        seed = re.search(_BLOCK.format("USER NKEY SEED"), text)
        if not user or not seed:
            raise ValueError(f"{path} is not a credentials file of NATS")
        self._jwt = user[1].encode()
        self._key = Ed25519PrivateKey.from_private_bytes(_decoded_seed(seed[1], path))

    def jwt(self) -> bytes:
        """Return the user's JWT."""
        return self._jwt

    def sign(self, nonce: str) -> bytes:
        """Sign what the server sent. Returns the signature in base64."""
        return base64.b64encode(self._key.sign(nonce.encode()))


def _decoded_seed(text: str, path: Path) -> bytes:
    padding = "=" * (-len(text) % 8)
    try:
        raw = base64.b32decode(text + padding)
    except ValueError:
        raw = b""
    if len(raw) != _SEED_PREFIX_BYTES + _SEED_BYTES + _CHECKSUM_BYTES:
        raise ValueError(f"the seed in {path} is damaged")
    return raw[_SEED_PREFIX_BYTES:-_CHECKSUM_BYTES]
