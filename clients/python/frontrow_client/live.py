"""The parts of sockets without input and output: close codes, and the picture of a screening's seats.

The rules are those of the JavaScript client; `docs/websocket.md` describes the messages.
"""

import logging
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any, TypeVar

import msgspec

from frontrow_client.state_hash import hash_of
from frontrow_client.updates import (
    HoldExpiring,
    LiveSeat,
    SalesChanged,
    ScreeningChanged,
    SeatFree,
    SeatsChanged,
    SeatsOffered,
    SeatUpdate,
)

logger = logging.getLogger("frontrow_client")

T = TypeVar("T")

SEATS_LIMIT = 200_000
"""Seats of a screening or a room; more are treated as an error."""

SUBSCRIPTIONS_LIMIT = 100
"""Events or rooms of a socket."""

ABNORMAL = 1006
"""The code of a connection that ended without a close frame (RFC 6455, section 7.1.5)."""

POLICY_VIOLATION = 1008
_TOKEN_REFUSALS = frozenset({"authentication required", "invalid token", "token expired", "token revoked"})
_OWN_FAULTS = frozenset({1002, 1003, 1007, POLICY_VIOLATION, 1009})
# Client errors that pass: timeout, conflict (usually with the own dead connection), too early, too many.
_PASSING = frozenset({4408, 4409, 4425, 4429})


class Next(Enum):
    """The next step after a connection has ended."""

    RETURN = auto()
    """Reconnect after a pause."""
    NEW_TOKEN = auto()
    """Reconnect with another token, if there is one."""
    STAY_AWAY = auto()
    """Reconnecting would end the same way."""


def next_after(code: int, reason: str) -> Next:
    """Return what to do after a close code."""
    if code == 4401 or (code == POLICY_VIOLATION and reason.lower() in _TOKEN_REFUSALS):
        return Next.NEW_TOKEN
    if code in _OWN_FAULTS or (4400 <= code < 4500 and code not in _PASSING):
        return Next.STAY_AWAY
    return Next.RETURN


class ProtocolError(Exception):
    """A message violates the protocol, so the connection cannot be used any more."""


def converted(message: Mapping[str, Any], kind: type[T]) -> T:
    """Return a message as a model.

    Raises:
        ProtocolError: it is something else.
    """
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(str(error)) from error


_TOLD: Mapping[str, type[HoldExpiring | SeatsOffered | SeatFree | ScreeningChanged]] = {
    "hold_expiring": HoldExpiring,
    "waitlist_offered": SeatsOffered,
    "seat_free": SeatFree,
    "screening_changed": ScreeningChanged,
}


class SeatPicture:
    """The seats of a screening as one socket shows them, changed by updates and replaced by snapshots.

    An update that is split into several messages takes effect with the last of them, so no partial update is
    visible, and after a lost connection the position is that of the picture.

    Attributes:
        seats: by id.
        epoch, seq: the position of the last complete update; 0 and 0 before the first.
        mismatches: how often the seats were not the server's, as its hash has shown.
    """

    def __init__(self) -> None:
        self.seats: dict[int, LiveSeat] = {}
        self.epoch = self.seq = 0
        self._gathered: dict[int, LiveSeat] = {}
        self.mismatches = self._in_vain = 0
        self._warned: HoldExpiring | None = None

    def begin(self) -> None:
        """A connection begins: drop an incomplete update, which is sent again."""
        self._gathered = {}

    def take(self, message: Mapping[str, Any]) -> Iterator[SeatUpdate]:
        """Apply a message, and yield what it tells.

        Raises:
            ProtocolError: it violates the protocol, or the screening was loaded again: reconnect and resume.
        """
        kind = str(message.get("type"))
        if kind in ("seat_update", "bulk_seat_update"):
            yield from self._updated(message)
        elif kind == "state_hash":
            self._compare(converted(message, _Proof))
        elif kind in ("sales_opened", "sales_ended"):
            self._reach(message)
            yield SalesChanged(is_open=kind == "sales_opened")
        elif kind in _TOLD:
            told = converted(message, _TOLD[kind])
            self._reach(message)
            # A server that takes the screening over after a crash may repeat a warning.
            is_repeated = isinstance(told, HoldExpiring) and self._is_repeated(told)
            if not is_repeated:
                yield told
            if kind == "screening_changed" and message.get("epoch") != self.epoch:
                raise ProtocolError("The screening has changed")

    def _updated(self, message: Mapping[str, Any]) -> Iterator[SeatUpdate]:
        is_snapshot = message.get("snapshot") is True
        if not is_snapshot and message.get("epoch") != self.epoch:
            raise ProtocolError("The screening was loaded again")
        states = [message] if message["type"] == "seat_update" else message.get("updates")
        for seat in converted({"seats": states}, _Seats).seats:
            self._gathered[seat.seat_id] = seat
        if len(self._gathered) > SEATS_LIMIT:
            raise ProtocolError(f"More than {SEATS_LIMIT} seats")
        if message.get("more") is True:
            return
        position = converted(message, _Position)
        gathered, self._gathered = self._gathered, {}
        changed = [seat for seat in gathered.values() if seat != self.seats.get(seat.seat_id)]
        removed = [seat_id for seat_id in self.seats if seat_id not in gathered] if is_snapshot else []
        for seat_id in removed:
            del self.seats[seat_id]
        self.seats.update(gathered)
        if len(self.seats) > SEATS_LIMIT:
            raise ProtocolError(f"More than {SEATS_LIMIT} seats")
        self.epoch, self.seq = position.epoch, position.seq
        if changed or is_snapshot:
            yield SeatsChanged(changed=changed, removed=removed, replaced=is_snapshot)

    def _compare(self, proof: "_Proof") -> None:
        """Compare the picture with the server's hash of it, if it has the same position.

        Raises:
            ProtocolError: they differ; the next connection gets all seats. If that does not help, it is done
                after the 2nd, 4th, 8th mismatch in a row, since it is a burden to the server.
        """
        if (proof.epoch != self.epoch) or proof.seq < self.seq or self._gathered:
            return
        if hash_of(self.seats.values()) == proof.hash:
            self.seq, self._in_vain = proof.seq, 0
            return
        self.mismatches += 1
        self._in_vain += 1
        logger.warning("the seats are not those of the server at %d/%d", proof.epoch, proof.seq)
        if self._in_vain & (self._in_vain - 1) == 0:
            self.epoch = self.seq = 0
            raise ProtocolError("The seats are not those of the server")

    def _reach(self, message: Mapping[str, Any]) -> None:
        """Everything up to the message's position is known."""
        seq = message.get("seq")
        if message.get("epoch") == self.epoch and isinstance(seq, int) and not self._gathered:
            self.seq = max(self.seq, seq)

    def _is_repeated(self, warning: HoldExpiring) -> bool:
        before, self._warned = self._warned, warning
        return before is not None and (before.seat_ids, before.expires_at) == (
            warning.seat_ids,
            warning.expires_at,
        )


class _Seats(msgspec.Struct):
    seats: list[LiveSeat]


class _Proof(msgspec.Struct):
    epoch: int
    seq: int
    hash: str


class _Position(msgspec.Struct):
    epoch: int
    seq: int
