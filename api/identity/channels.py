"""Channels: who may hold and buy the seats that are kept back for a group of buyers.

Whoever knows a channel's access code has access, and so has a token with the claim `channels`. Codes are
stored as keyed hashes, so the database does not give them away. Each wrong code counts against the network
that it comes from. A code that was right is remembered for a few seconds; so a sale costs no query per
request.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

from api.identity.errors import AccessCodeRefused
from api.limiter import AttemptLimit, network_of
from engine.records import channel_key

ACCESS_CODE_HEADER = "X-Access-Code"

CODE_CHARACTERS = 100
"""Highest length of an access code, in characters."""

REMEMBERED_SECONDS = 5.0
"""Longest time for which a code that was replaced may go on giving access."""

REMEMBERED_LIMIT = 1000


def code_hash(key: bytes, code: str) -> bytes:
    """Return the hash of an access code, with a secret key."""
    return hmac.digest(key, code.strip()[:CODE_CHARACTERS].encode(errors="replace"), sha256)


class ChannelRows(Protocol):
    """Channels, as `persistence.channels.ChannelRows` documents them."""

    async def by_code(self, code_hash: bytes) -> tuple[str, bytes] | None:
        """Return name and stored hash of the channel with this access code, if there is one."""

    async def exists(self, name: str) -> bool:
        """Tell whether there is a channel of this name."""

    async def all(self, *, limit: int, offset: int) -> Sequence[Mapping[str, Any]]:
        """Return a page of the channels, by name."""

    async def add(self, name: str, code_hash: bytes | None) -> Mapping[str, Any]:
        """Add a channel. Raises AlreadyExists."""

    async def change(self, name: str, code_hash: bytes | None) -> Mapping[str, Any]:
        """Replace the access code of a channel. Raises NotFound or AlreadyExists."""

    async def remove(self, name: str) -> None:
        """Remove a channel. Raises NotFound or InUse."""


class Channels:
    """The channels and their access codes.

    Args:
        rows: stores channels.
        key: of the hashes; secret.
        attempts: counts wrong codes per network.
        now: returns the time in seconds; monotonic.
    """

    def __init__(
        self, rows: ChannelRows, key: bytes, attempts: AttemptLimit, now: Callable[[], float]
    ) -> None:
        self._rows = rows
        self._key = key
        self._attempts = attempts
        self._now = now
        self._remembered: dict[bytes, tuple[str, float]] = {}
        self.exists = rows.exists
        self.all = rows.all

    async def add(self, name: str, code: str | None) -> Mapping[str, Any]:
        """Add a channel; without a code only tokens give access.

        Raises:
            AlreadyExists: its name or its access code is taken.
        """
        return await self._rows.add(name, self._hash_or_none(code))

    async def change(self, name: str, code: str | None) -> Mapping[str, Any]:
        """Replace the access code of a channel.

        Raises:
            NotFound: there is no such channel.
            AlreadyExists: another channel has this access code.
        """
        try:
            return await self._rows.change(name, self._hash_or_none(code))
        finally:
            self._forget()

    async def remove(self, name: str) -> None:
        """Remove a channel.

        Raises:
            NotFound: there is no such channel.
            InUse: seats are kept back for it.
        """
        try:
            await self._rows.remove(name)
        finally:
            self._forget()

    async def access_by(self, code: str, address: str) -> tuple[str, ...]:
        """Return the keys of the blocks that an access code opens (`Block.key`).

        Args:
            code: as it was sent.
            address: IP address of the client.

        Raises:
            AccessCodeRefused: no channel has this code.
            TooManyAttempts: too many wrong codes have come from the client's network.
            Unavailable: the node that counts the attempts cannot be reached.
        """
        digest, now, remembered = self._hash(code), self._now(), self._remembered
        name, until = remembered.get(digest, ("", 0.0))
        if until <= now:
            name = await self._found(digest, network_of(address))
            if len(remembered) >= REMEMBERED_LIMIT:
                remembered.clear()
            remembered[digest] = (name, now + REMEMBERED_SECONDS)
        return (channel_key(name),)

    async def _found(self, digest: bytes, network: str) -> str:
        if (counted := self._attempts.attempt(network)) is not None:
            await counted
        found = await self._rows.by_code(digest)
        if found is None or not hmac.compare_digest(found[1], digest):
            raise AccessCodeRefused
        if (told := self._attempts.retract(network)) is not None:
            await told
        return found[0]

    def _forget(self) -> None:
        """Forget all codes, also those that are being looked up: they may be found as they were before."""
        self._remembered = {}

    def _hash(self, code: str) -> bytes:
        return code_hash(self._key, code)

    def _hash_or_none(self, code: str | None) -> bytes | None:
        return None if code is None else self._hash(code)
