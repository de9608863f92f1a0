"""Refusals between nodes: the asker raises an error equal to the one that the owner raised.

A refusal travels as its message, its code, whether and when to try again, the numbers of its base classes,
and its attributes. A node that does not know the class raises its nearest known base with the same message
and code, so that the client is answered alike.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, NotRequired, TypedDict

from cluster.forms import decoder_of, encode_fields, row_type
from cluster.kinds import REFUSALS
from cluster.messages import NotUnderstood
from engine import block_errors as blocks
from engine import catalogue_errors as catalogue
from engine import errors, moving_errors, rule_errors
from engine import selling_errors as selling
from engine import waitlist_errors as waiting
from engine.errors import EngineError

_Ids = tuple[int, ...]
_Limit = {"limit": int, "held": int, "requested": int}
_Window = {"sales_start": float | None, "sales_end": float | None}
_Refund = {
    "held": _Ids,
    "booked": _Ids,
    "refund_id": int,
    "amount": float,
    "currency": str | None,
    "reason": str,
}

ATTRIBUTES: Mapping[type[EngineError], Mapping[str, Any]] = {
    errors.Overloaded: {"screening_id": int},
    errors.OwnershipLost: {"screening_id": int, "owner": str | None},
    selling.ScreeningNotFound: {"screening_id": int},
    selling.SeatsNotFound: {"seat_ids": _Ids},
    selling.TicketNotFound: {"ticket_id": int},
    selling.ScreeningStarted: {"screening_id": int},
    selling.ScreeningCancelled: {"screening_id": int},
    selling.RoomFull: {"limit": int},
    selling.ScreeningHasBookings: {"screening_id": int},
    selling.SeatsUnavailable: {"held": _Ids, "booked": _Ids, "blocked": _Ids},
    selling.NoAdjacentSeats: {"quantity": int, "largest": int},
    selling.ZoneNotFound: {"zones": tuple[str, ...]},
    selling.HoldLimitExceeded: _Limit,
    selling.GuestLimitExceeded: _Limit,
    selling.HoldLifeSpent: {"life_seconds": float, "retry_after_seconds": int},
    selling.NotHeld: {"seat_ids": _Ids},
    selling.ReservationNotHeld: {"reservation_id": int},
    selling.NotEnoughTickets: {"ticket_type_id": int, "requested": int, "available": int},
    selling.OrderLimitExceeded: {"ticket_type_id": int, "limit": int, "requested": int},
    selling.SalesClosed: {"ticket_type_id": int, **_Window},
    selling.NothingForSale: {"screening_id": int},
    selling.WrongNumberOfPapers: {"tickets": int, "papers": int},
    selling.ExtensionLimitReached: {"seat_ids": _Ids, "reason": str},
    selling.TicketNotPending: {"ticket_id": int, "status": str},
    selling.TicketAdmitted: {"ticket_id": int, "admitted_at": float},
    selling.PriceChanged: {"expected_cents": int, "actual_cents": int},
    selling.PaymentAlreadyUsed: {"payment_id": str},
    selling.RefundRequired: _Refund,
    selling.TooManyRefunds: {"limit": int},
    selling.RefundUnvouched: {"refund_id": int},
    selling.RefundSettled: {"refund_id": int, "reference": str},
    selling.BookingInProgress: {"seat_ids": _Ids},
    moving_errors.MovesClosed: {"screening_id": int},
    moving_errors.TicketNotMovable: {"ticket_id": int},
    moving_errors.PaymentRequired: {"amount_cents": int},
    catalogue.UnknownReference: {"errors": dict[str, list[str]]},
    catalogue.SeatConflict: {"conflicts": list[dict[str, Any]]},
    catalogue.SeatsInUse: {"seat_ids": _Ids},
    catalogue.CapacityTooLow: {"ticket_type_id": int, "capacity": int, "sold": int, "reserved": int},
    catalogue.IllegalStatusChange: {"ticket_id": int, "status": str},
    catalogue.TicketNotConfirmed: {"ticket_id": int, "status": str},
    catalogue.RoomLimitReached: {"limit": int},
    catalogue.MessageDelivered: {"message_id": int},
    catalogue.WebhookLimitReached: {"limit": int},
    rule_errors.PersonLimitExceeded: {**_Limit, "bought": int, "ticket_type_id": int | None},
    rule_errors.NotOnSale: _Window,
    blocks.BlockLimitReached: {"limit": int},
    waiting.StillAvailable: {"available": int},
    waiting.AlreadyWaiting: {"entry_id": int},
    waiting.WaitlistFull: {"limit": int},
    waiting.TooManyWatches: {"limit": int},
    rule_errors.WouldStrandSeat: {"stranded": _Ids, "alternatives": tuple[_Ids, ...]},
}
"""The attributes of the errors of a class. For a new one the class needs a default of the same name, which
errors of an older node get."""

_INHERITED: Mapping[str, Any] = {"code": str, "retryable": bool, "retry_after_seconds": int | float | None}
"""Attributes of error classes that single errors may override."""

_typed_dict: Any = TypedDict

_NUMBERS: Mapping[type[EngineError], int] = {error: kind for kind, error in REFUSALS.items()}


class _Summary(NamedTuple):
    """The part of an error that a node uses if it does not know the class of the error.

    Attributes:
        bases: numbers of its base classes without attributes, nearest first.
    """

    code: str
    retryable: bool
    retry_after_seconds: int | float | None
    bases: tuple[int, ...]


_decode_summary = decoder_of("a refusal", _Summary)

_decode_args = decoder_of("a refusal", row_type("Refusal", {"args": tuple[str, ...]}))


class _Form:
    """The form of the errors of a class: number, length of the summary, summary; then `args` and attributes.

    The summary is nearly always that of the class, so it is not encoded and decoded each time.
    """

    __slots__ = ("_decode", "_error_type", "_kind", "_start")

    def __init__(self, kind: int, error_type: type[EngineError]) -> None:
        self._kind = kind
        self._error_type = error_type
        self._start = _start_of(kind, error_type, error_type)
        attributes: dict[str, Any] = {name: NotRequired[hint] for name, hint in _INHERITED.items()}
        for name, hint in ATTRIBUTES.get(error_type, {}).items():
            attributes[name] = NotRequired[hint] if hasattr(error_type, name) else hint
        fields = {"args": tuple[str, ...], "attributes": _typed_dict("Attributes", attributes)}
        self._decode = decoder_of(error_type.__name__, row_type(error_type.__name__, fields))

    def encode(self, error: EngineError) -> bytes:
        error_type = self._error_type
        usual = error.code == error_type.code and type(error) is error_type
        start = self._start if usual else _start_of(self._kind, error, type(error))
        return start + encode_fields((error.args, error.__dict__))

    def decode(self, data: bytes) -> EngineError:
        start = self._start
        if data.startswith(start):
            args, attributes = self._decode(data[len(start) :])
            # Not by `__init__`, which would have to make the message again.
            error = self._error_type.__new__(self._error_type, *args)
            error.__dict__ = attributes
            return error
        summary, fields = _parted(data)
        args, attributes = self._decode(fields)
        return _summarised(self._error_type, args, attributes, summary)


def encode_refusal(error: EngineError) -> bytes:
    """Encode an error. One of a class without a number travels as its nearest base class that has one."""
    form = _FORM_OF.get(type(error)) or _FORM_OF[_plain_bases_of(type(error))[0]]
    return form.encode(error)


def decode_refusal(data: object) -> EngineError:
    """Decode an error, for the caller to raise.

    Raises:
        NotUnderstood: it is no refusal.
    """
    if type(data) is not bytes or not data:
        raise NotUnderstood("a refusal without a number")
    form = _FORMS.get(data[0])
    if form is not None:
        return form.decode(data)
    summary, fields = _parted(data)
    known = (REFUSALS[kind] for kind in summary.bases if kind in REFUSALS)
    # EngineError itself would be answered as a defect.
    nearest = next((base for base in known if base is not EngineError and base not in ATTRIBUTES), None)
    error_type = nearest or (errors.Unavailable if summary.retryable else errors.Refused)
    return _summarised(error_type, _decode_args(fields)[0], {}, summary)


def _summarised(
    error_type: type[EngineError], args: tuple[str, ...], attributes: dict[str, Any], summary: _Summary
) -> EngineError:
    """Make an error with the code and the advice that it had at the sender."""
    error = error_type.__new__(error_type, *args)
    error.__dict__ = attributes
    for name in _INHERITED:
        value = getattr(summary, name)
        if value is not None and value != getattr(error, name, None):
            setattr(error, name, value)
    return error


def _start_of(kind: int, error: EngineError | type[EngineError], error_type: type[EngineError]) -> bytes:
    retry_after_seconds = getattr(error, "retry_after_seconds", None)
    bases = tuple(_NUMBERS[base] for base in _plain_bases_of(error_type))
    summary = encode_fields(_Summary(error.code, error.retryable, retry_after_seconds, bases))
    return bytes((kind, len(summary))) + summary


def _parted(data: bytes) -> tuple[_Summary, bytes]:
    """Decode the summary. Returns it and the fields after it."""
    end = 2 + data[1] if len(data) > 1 else 2
    return _decode_summary(data[2:end]), data[end:]


def _plain_bases_of(error_type: type[EngineError]) -> list[type[EngineError]]:
    """The base classes with a number, nearest first. One with attributes is of no use without them."""
    return [base for base in error_type.__mro__[1:] if base in _NUMBERS and base not in ATTRIBUTES]


_FORMS: Mapping[int, _Form] = {kind: _Form(kind, error_type) for kind, error_type in REFUSALS.items()}

_FORM_OF: Mapping[type[EngineError], _Form] = {REFUSALS[kind]: form for kind, form in _FORMS.items()}
