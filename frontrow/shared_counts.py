"""Counts shared by all nodes of a cluster: each key is counted on one node, and the others ask it.

The node of a key (`cluster.keys`) counts with the object that a single server has (`OwnCounts`). If it does
not answer, limits on amounts are counted by the asking node alone: a limit is then exceeded rather than a
client refused. Where that would let somebody guess passwords or use the id of somebody else, or would carry
out a request twice, the client gets 503 instead.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from api.errors import TooManyAttempts
from api.identity.login_attempts import LoginAttempts
from api.limiter import Limiter, Quota
from api.rest.errors import KeyInFlight, KeyReused, TooManyKeys
from api.rest.idempotency import KeysInFlight
from api.rooms.client_ids import ClientIdInUse, ClientIds
from api.services import KeyedRequest
from api.ws.open_sockets import SocketsOfHolders, TooManySocketsOfHolder
from cluster.claims import Claim, Claims
from cluster.keys import KeyedCalls, Patience
from cluster.links import Links
from cluster.membership import Membership, View
from engine.errors import Unavailable
from frontrow.counts import Counts, OwnCounts

REQUIRED = Patience(1.5, retries=True)
"""Patience with the node of a key if the client is refused otherwise."""

OPTIONAL = Patience(0.3, retries=False)
"""Patience with the node of a key if this node can count instead."""

ADMISSION = Patience(1.5, retries=False)
"""Patience until a socket is counted; then, or at once if the node is unreachable, it is admitted."""

LEAVING_PAUSES_SECONDS = (0.02, 0.05, 0.13)
"""Pauses before a client id or an idempotency key in use is asked for again. A client that has closed its
socket, or got its response, at one node may come to another one before the end of its claim is known."""

RESERVATIONS_AT_ONCE = 500
"""Reservations of client ids in one message."""


def shared_counts(links: Links, membership: Membership, own: OwnCounts) -> Counts:
    """Return the counts of a node.

    Args:
        links, membership: of the node.
        own: counts this node's share of the keys.
    """
    calls = KeyedCalls(links, membership)
    return Counts(
        logins=SharedLogins(calls, own.logins),
        account_requests=SharedLimit(calls, "account requests", own.account_requests, required=True),
        reset_mails=SharedLimit(calls, "reset mails", own.reset_mails),
        access_codes=SharedLimit(calls, "access codes", own.access_codes, required=True),
        selections=SharedLimit(calls, "selections", own.selections),
        free_rooms=SharedLimit(calls, "free rooms", own.free_rooms),
        sockets=SharedSockets(calls, own.sockets),
        client_ids=SharedClientIds(calls, own.client_ids),
        requests_in_flight=SharedRequests(calls, own.requests_in_flight),
    )


class SharedLimit:
    """A limit on attempts; see `api.limiter.AttemptLimit`.

    Args:
        calls: to the nodes of keys.
        kind: name of the limit.
        own: counts this node's share.
        required: whether attempts are refused while the node of their key does not answer.
    """

    def __init__(self, calls: KeyedCalls, kind: str, own: Limiter, *, required: bool = False) -> None:
        self._calls = calls
        self._kind = kind
        self._own = own
        self._required = required
        self._patience = REQUIRED if required else OPTIONAL
        calls.on(
            kind,
            {
                "count": lambda _, key, value: own.count(key),
                "retract": lambda _, key, value: own.retract(key),
            },
        )

    def attempt(self, key: str) -> Awaitable[None] | None:
        if self._calls.is_own(self._kind, key):
            self._own.attempt(key)
            return None
        return self._attempt(key)

    async def _attempt(self, key: str) -> None:
        try:
            quota = Quota(*await self._calls.call(self._kind, "count", key, None, self._patience))
        except Unavailable:
            if self._required:
                raise
            self._own.attempt(key)
            return
        if quota.remaining < 0:
            raise TooManyAttempts(quota.resets_in_seconds)

    def retract(self, key: str) -> Awaitable[None] | None:
        return self._calls.tell(self._kind, "retract", key, None)


class SharedLogins:
    """The limit on password attempts; see `api.identity.login_attempts.LoginLimit`.

    Args:
        calls: to the nodes of keys.
        own: counts this node's share of the accounts.
    """

    _KIND = "account"

    def __init__(self, calls: KeyedCalls, own: LoginAttempts) -> None:
        self._calls = calls
        self._own = own
        calls.on(
            self._KIND,
            {
                "attempt": self._attempted,
                "succeeded": lambda _, account, address: own.succeeded(account, address),
                "trust": lambda _, account, address: own.trust(account, address),
                "retract": lambda _, account, address: own.retract(account, address),
            },
        )

    def attempt(self, account: str, address: str) -> Awaitable[None] | None:
        if self._calls.is_own(self._KIND, account):
            self._own.attempt(account, address)
            return None
        return self._attempt(account, address)

    async def _attempt(self, account: str, address: str) -> None:
        seconds = await self._calls.call(self._KIND, "attempt", account, address, REQUIRED)
        if seconds:
            raise TooManyAttempts(seconds)

    def _attempted(self, _: str, account: str, address: str) -> int:
        """Count an attempt. Returns after how many seconds to try again, 0 if it may be made."""
        try:
            self._own.attempt(account, address)
        except TooManyAttempts as refusal:
            return refusal.retry_after_seconds
        return 0

    def succeeded(self, account: str, address: str) -> Awaitable[None] | None:
        return self._calls.tell(self._KIND, "succeeded", account, address)

    def trust(self, account: str, address: str) -> Awaitable[None] | None:
        return self._calls.tell(self._KIND, "trust", account, address)

    def retract(self, account: str, address: str) -> Awaitable[None] | None:
        return self._calls.tell(self._KIND, "retract", account, address)


class _SocketKeeper:
    """Counts the sockets of this node's share of the holders; see `cluster.claims.Keeper`."""

    def __init__(self, own: SocketsOfHolders) -> None:
        self._own = own

    def take(self, key: str, value: bool, lost: Callable[[], None]) -> str:
        self._own.add(key, guest=value)
        return key

    def restore(self, key: str, value: bool, seconds: float, lost: Callable[[], None]) -> str:
        self._own.add_open(key)
        return key

    def leave(self, granted: str) -> None:
        self._own.remove(granted)


class SharedSockets:
    """The limit on sockets per holder; see `api.ws.open_sockets.HolderLimit`.

    Args:
        calls: to the nodes of keys.
        own: counts this node's share of the holders.
    """

    def __init__(self, calls: KeyedCalls, own: SocketsOfHolders) -> None:
        self._own = own
        self._claims_of: dict[str, list[Claim]] = {}
        self.claims = Claims(calls, "sockets", _SocketKeeper(own), (TooManySocketsOfHolder,), ADMISSION)

    def add(self, holder: str, *, guest: bool) -> Awaitable[None] | None:
        claim = self.claims.take(holder, guest)
        if isinstance(claim, Claim):
            self._claims_of.setdefault(holder, []).append(claim)
            return None
        return self._add(claim, holder, guest=guest)

    async def _add(self, asked: Awaitable[Claim], holder: str, *, guest: bool) -> None:
        try:
            claim = await asked
        except Unavailable:
            if len(self._claims_of.get(holder, ())) >= self._own.limit_of(guest=guest):
                raise TooManySocketsOfHolder from None
            claim = self.claims.assume(holder, guest)
        self._claims_of.setdefault(holder, []).append(claim)

    def remove(self, holder: str) -> None:
        # All claims of a holder are alike.
        claims = self._claims_of[holder]
        self.claims.leave(claims.pop())
        if not claims:
            del self._claims_of[holder]


class _ClientIdKeeper:
    """Decides about this node's share of the client ids; see `cluster.claims.Keeper`."""

    def __init__(self, own: ClientIds) -> None:
        self._own = own

    def take(self, key: str, value: tuple[str, str | None], lost: Callable[[], None]) -> Any:
        return self._own.take(key, *value, lost)

    def restore(
        self, key: str, value: tuple[str, str | None], seconds: float, lost: Callable[[], None]
    ) -> Any:
        return self._own.restore(key, *value, lost, seconds)

    def leave(self, granted: Any) -> None:
        self._own.leave(granted)


async def _when_left(take: Callable[[], Claim | Awaitable[Claim]], refusal: type[Exception]) -> Claim:
    """Claim something, again after short pauses while that is refused."""
    for pause_seconds in (*LEAVING_PAUSES_SECONDS, None):
        try:
            claim = take()
            return await claim if isinstance(claim, Awaitable) else claim
        except refusal:
            if pause_seconds is None:
                raise
            await asyncio.sleep(pause_seconds)
    raise AssertionError("the last attempt returns or raises")


class SharedClientIds:
    """The client ids in use in rooms; see `api.rooms.client_ids.UsedIds`.

    Reservations of ids that are not in use move with their keys, but are lost if their node crashes.

    Args:
        calls: to the nodes of keys.
        own: decides about this node's share of the ids.
    """

    _KIND = "client_ids"

    def __init__(self, calls: KeyedCalls, own: ClientIds) -> None:
        self._calls = calls
        self._own = own
        self.claims = Claims(calls, self._KIND, _ClientIdKeeper(own), (ClientIdInUse,), REQUIRED)
        calls.links.on(f"{self._KIND}.reserve", self._reserve)
        calls.members.on_change(self._members_changed)

    def __len__(self) -> int:
        return len(self.claims)

    def take(
        self, client_id: str, network: str, user: str | None, taken_over: Callable[[], None]
    ) -> Claim | Awaitable[Claim]:
        if self._calls.is_ready(self._KIND, client_id):
            with suppress(ClientIdInUse):
                return self.claims.take(client_id, (network, user), taken_over)
        return self._take(client_id, network, user, taken_over)

    async def _take(
        self, client_id: str, network: str, user: str | None, taken_over: Callable[[], None]
    ) -> Claim:
        return await _when_left(
            lambda: self.claims.take(client_id, (network, user), taken_over), ClientIdInUse
        )

    def leave(self, claim: Claim) -> None:
        self.claims.leave(claim)

    def _members_changed(self, before: View, after: View) -> None:
        """Give reservations to the nodes to which their ids belong now."""
        if before.ring.nodes == after.ring.nodes:
            return
        moved: dict[str, list[tuple[str, list[str], float]]] = {}
        for reservation in self._own.reservations():
            node = self._calls.node_of(self._KIND, reservation[0])
            if node != self._calls.links.node:
                moved.setdefault(node, []).append(reservation)
                self._own.unreserve(reservation[0])
        for node, reservations in moved.items():
            for start in range(0, len(reservations), RESERVATIONS_AT_ONCE):
                part = reservations[start : start + RESERVATIONS_AT_ONCE]
                self._calls.links.send(node, f"{self._KIND}.reserve", part)

    def _reserve(self, _: str, reservations: list[list[Any]]) -> None:
        for client_id, owners, seconds, *_newer in reservations:
            self._own.reserve(client_id, owners, seconds)


class _RequestKeeper:
    """Keeps this node's share of the idempotency keys; see `cluster.claims.Keeper`."""

    def __init__(self, own: KeysInFlight) -> None:
        self._own = own

    def take(self, key: str, value: bytes, lost: Callable[[], None]) -> KeyedRequest:
        scope, _, name = key.rpartition("\n")
        request = KeyedRequest(scope, name, value)
        self._own.begin(request)
        return request

    def restore(
        self, key: str, value: bytes, seconds: float, lost: Callable[[], None]
    ) -> KeyedRequest | None:
        try:
            return self.take(key, value, lost)
        except (KeyInFlight, KeyReused, TooManyKeys):
            # Both are being processed, which no message can change any more.
            return None

    def leave(self, granted: KeyedRequest) -> None:
        self._own.end(granted)


class SharedRequests:
    """The requests with an idempotency key; see `api.services.RequestsInFlight`.

    Args:
        calls: to the nodes of keys.
        own: keeps this node's share of the keys.
        now: returns the time in seconds; monotonic.
    """

    stored_first = True

    def __init__(self, calls: KeyedCalls, own: KeysInFlight, now: Callable[[], float] = monotonic) -> None:
        self._here = KeysInFlight(own.limit)
        self._claims: dict[KeyedRequest, Claim] = {}
        refusals = (KeyInFlight, KeyReused, TooManyKeys)
        self.claims = Claims(calls, "requests", _RequestKeeper(own), refusals, REQUIRED, now)

    def begin(self, request: KeyedRequest) -> Awaitable[None] | None:
        self._here.begin(request)
        return self._begin(request)

    async def _begin(self, request: KeyedRequest) -> None:
        try:
            self._claims[request] = await _when_left(
                lambda: self.claims.take(f"{request.scope}\n{request.key}", request.fingerprint), KeyInFlight
            )
        except BaseException:
            self._here.end(request)
            raise

    def end(self, request: KeyedRequest) -> None:
        self._here.end(request)
        self.claims.leave(self._claims.pop(request))
