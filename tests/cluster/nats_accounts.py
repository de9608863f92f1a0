"""NATS with accounts: an operator signs accounts, an account signs users, and users have credentials files.

The format of the keys and tokens is described in the documentation of NATS ("JWT Guide").
"""

import base64
import binascii
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3


class KeyPair:
    """An Ed25519 key pair in the text form of NATS."""

    def __init__(self, kind: int) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = _text(bytes([kind]) + self._key.public_key().public_bytes_raw())
        prefix = bytes([SEED | kind >> 5, (kind & 31) << 3])
        self.seed = _text(prefix + self._key.private_bytes_raw())

    def sign(self, subject: str, name: str, claims: dict[str, Any]) -> str:
        """Return a JWT."""
        body = {"iss": self.public, "sub": subject, "name": name, "iat": int(time.time()), "jti": name}
        parts = ({"typ": "JWT", "alg": "ed25519-nkey"}, {**body, "nats": {**claims, "version": 2}})
        signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_base64(self._key.sign(signed.encode()))}"


class JwtServer:
    """Keys of a server with one account and one user."""

    def __init__(self) -> None:
        operator, account, self._user = KeyPair(OPERATOR), KeyPair(ACCOUNT), KeyPair(USER)
        unlimited = {
            name: -1 for name in ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
        } | {"wildcards": True}
        self._operator_jwt = operator.sign(operator.public, "operator", {"type": "operator"})
        self._account = account.public
        self._account_jwt = operator.sign(account.public, "account", {"type": "account", "limits": unlimited})
        limits = {"subs": -1, "data": -1, "payload": -1, "type": "user"}
        self._user_jwt = account.sign(self._user.public, "node", limits)

    def configuration(self) -> str:
        """Return the lines of the server's configuration."""
        return (
            f"operator: {self._operator_jwt}\nresolver: MEMORY\n"
            f"resolver_preload: {{ {self._account}: {self._account_jwt} }}\n"
        )

    def credentials(self) -> str:
        """Return the content of the user's credentials file."""
        return (
            f"-----BEGIN NATS USER JWT-----\n{self._user_jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self._user.seed}\n------END USER NKEY SEED------\n"
        )


def _text(raw: bytes) -> str:
    checksum = binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(raw + checksum).decode().rstrip("=")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
