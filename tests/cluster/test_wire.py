"""Encoded values are decoded by another node as what they were; nothing else comes out of a decoder."""

from collections.abc import Mapping
from enum import EnumMeta
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import wire
from cluster.kinds import CHANGES, COMMANDS, KINDS, REFUSALS, REPLIES
from cluster.messages import ChangeLeftOut, LayoutMissing, NotUnderstood, ReadNewSeats, SeatsUnchanged
from engine.commands import HoldSeats
from engine.events import HoldsExpired, SeatsHeld
from engine.records import Hold, Layout, TicketStatus
from engine.replies import Changes
from engine.sale_rules import Window
from engine.selling_errors import SeatsUnavailable
from engine.views import SeatMap, SeatsShown, SeatView
from tests.cluster import wire_samples as samples

LAYOUT = samples.LAYOUT

PLAIN: dict[Any, st.SearchStrategy] = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(st.characters(exclude_categories=["Cs"])),
    bytes: st.binary(),
    bool: st.booleans(),
    type(None): st.none(),
    Layout: st.just(LAYOUT),
}


@cache
def any_of(hint: Any) -> st.SearchStrategy:
    """Values of a type, as deep as the records of the engine are."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, EnumMeta):
        return st.sampled_from(hint)
    if origin in (Union, UnionType):
        return st.one_of(map(any_of, arguments))
    if hint is SeatMap:
        views = st.lists(any_of(SeatView), max_size=3)
        by_id = views.map(lambda seats: {seat.seat_id: seat for seat in seats})
        return st.builds(SeatMap, *map(any_of, (int, int, int, Layout)), by_id, any_of(Window))
    if hint is Changes:
        missed = st.none() | st.lists(st.one_of(map(any_of, WATCHED)), max_size=3).map(tuple)
        return st.builds(Changes, any_of(int), any_of(int), missed, any_of(Window))
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*map(any_of, arguments))
    if origin is tuple:
        return st.lists(any_of(arguments[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(any_of(arguments[0]), any_of(arguments[1]), max_size=3)
    hints = get_type_hints(hint)
    return st.builds(hint, *(any_of(hints[name]) for name in hint._fields))


def named(kind: type) -> str:
    return kind.__name__


WATCHED = [change for change in CHANGES.values() if change is not ChangeLeftOut]


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of the same types at every depth."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, tuple):
        return all(map(same, one, other))
    return not isinstance(one, dict) or all(map(same, one.values(), other.values()))


def find_layout(room_id: int, version: int) -> Layout | None:
    return LAYOUT if (room_id, version) == (LAYOUT.room_id, LAYOUT.version) else None


def decode_reply(data: object) -> Any:
    return wire.decode_reply(data, find_layout)


def frame(data: bytes) -> Any:
    """Return `data` as another node gets it in a message."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode([1, "node", [data]]))[2][0]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=named)
@given(data=st.data())
def test_a_command_is_decoded_as_it_was(command: type, data: st.DataObject) -> None:
    sent = data.draw(any_of(command))
    assert same(wire.decode_command(frame(wire.encode_command(sent))), sent)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=named)
@given(data=st.data())
def test_a_reply_is_decoded_as_it_was(reply: type, data: st.DataObject) -> None:
    sent = data.draw(any_of(reply))
    assert same(decode_reply(frame(wire.encode_reply(sent))), sent)


@pytest.mark.parametrize("change", CHANGES.values(), ids=named)
@given(data=st.data())
def test_a_change_is_decoded_as_it_was(change: type, data: st.DataObject) -> None:
    sent = data.draw(any_of(change))
    received = wire.decode_change(frame(wire.encode_change(sent)))
    assert same(received, sent)
    if change is not ChangeLeftOut:
        assert same(received.views, sent.views)
        assert (received.cause, received.ended) == (sent.cause, sent.ended)


@pytest.mark.parametrize("reply", samples.REPLIES, ids=lambda reply: type(reply).__name__)
def test_every_field_of_the_samples_arrives(reply: Any) -> None:
    assert same(decode_reply(frame(wire.encode_reply(reply))), reply)


def test_a_ticket_has_its_status_again() -> None:
    booked = decode_reply(wire.encode_reply(samples.REPLIES[7]))
    assert booked.tickets[0].status is TicketStatus.PENDING


# Seat maps


def test_a_seat_map_arrives_with_the_layout_of_the_receiver() -> None:
    sent = SeatMap(7, 3, 24, Layout(LAYOUT.room_id, LAYOUT.version, ()), {})
    assert decode_reply(wire.encode_reply(sent)).layout is LAYOUT


def test_a_seat_map_of_an_unknown_layout_names_it() -> None:
    data = wire.encode_reply(SeatMap(7, 3, 24, LAYOUT, {}))
    with pytest.raises(LayoutMissing) as missing:
        wire.decode_reply(data, lambda room_id, version: None)
    assert (missing.value.room_id, missing.value.version) == (LAYOUT.room_id, LAYOUT.version)


def test_a_seat_map_that_the_caller_has_is_not_sent_again() -> None:
    seat_map = SeatMap(7, 3, 24, LAYOUT, {44: samples.FREE})

    def answer(epoch: int, seq: int) -> Any:
        command = wire.decode_command(wire.encode_command(ReadNewSeats(7, epoch, seq)))
        return decode_reply(wire.encode_reply(command.reply_with(seat_map)))

    assert answer(3, 24) == SeatsUnchanged(7, 3, 24)
    assert answer(3, 23) == answer(2, 24) == seat_map


# Bounds


def large_change(seq: int, seats: int) -> SeatsShown:
    views = tuple(SeatView(seat_id, "booked", "user:1234567") for seat_id in range(seats))
    return SeatsShown(7, 3, seq, samples.NOW, "tickets_issued", views, 0, seats)


def test_a_change_that_is_too_long_is_left_out() -> None:
    change = large_change(28, 10_000)
    assert wire.decode_change(wire.encode_change(change)) == ChangeLeftOut(7, 3, 28)


def test_missed_changes_that_are_too_long_together_are_not_sent() -> None:
    one = large_change(28, 1000)
    length = len(wire.encode_change(one))
    number = wire.MISSED_BYTES_LIMIT // length
    few, many = (Changes(3, 28, (one,) * count) for count in (number, number + 1))
    assert decode_reply(wire.encode_reply(few)) == few
    assert decode_reply(wire.encode_reply(many)) == Changes(3, 28, None)
    assert len(wire.encode_reply(few)) < wire.MISSED_BYTES_LIMIT * 1.01


def test_the_limits_include_what_is_exactly_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    change = large_change(28, 3)
    missed = Changes(3, 28, (change, change))
    length = len(wire.encode_change(change))
    for excess, left_out in ((0, False), (1, True)):
        monkeypatch.setattr(wire, "CHANGE_BYTES_LIMIT", length - excess)
        monkeypatch.setattr(wire, "MISSED_BYTES_LIMIT", 2 * length - excess)
        received = decode_reply(wire.encode_reply(missed))
        assert received == (Changes(3, 28, None) if left_out else missed)
        assert (wire.decode_change(wire.encode_change(change)) != change) is left_out


def test_a_single_missed_change_may_be_longer_than_one_for_watchers() -> None:
    missed = Changes(3, 28, (large_change(28, 6000),))
    assert decode_reply(wire.encode_reply(missed)) == missed


# Messages that are not understood

DECODERS = {
    "command": wire.decode_command,
    "reply": decode_reply,
    "change": wire.decode_change,
    "refusal": wire.decode_refusal,
}

VALUES = st.recursive(
    st.none() | st.booleans() | PLAIN[int] | st.floats() | PLAIN[str] | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(PLAIN[str] | PLAIN[int] | st.binary(), inner, max_size=3)
    ),
    max_leaves=12,
)


def understood(data: object) -> None:
    """Decode with all decoders. They raise only the errors that they declare."""
    for decode in DECODERS.values():
        try:
            decode(data)
        except (NotUnderstood, LayoutMissing):
            pass


@given(VALUES)
def test_other_values_are_not_understood(value: object) -> None:
    if type(value) is not bytes:
        for decode in DECODERS.values():
            with pytest.raises(NotUnderstood):
                decode(value)
    understood(value)


@given(st.sampled_from(sorted(KINDS)), st.binary() | VALUES.map(msgspec.msgpack.encode))
def test_other_fields_are_not_understood(kind: int, fields: bytes) -> None:
    understood(bytes((kind,)) + fields)


@given(st.sampled_from(sorted(samples.encoded().values())), st.data())
def test_damaged_messages_are_not_understood(data: bytes, choices: st.DataObject) -> None:
    at = choices.draw(st.integers(0, len(data) - 1))
    understood(data[:at] + choices.draw(st.binary(max_size=3)) + data[at + choices.draw(st.integers(0, 3)) :])


@given(st.sampled_from((*samples.COMMANDS, *samples.REPLIES, *samples.CHANGES)), st.data())
def test_fields_of_other_types_are_not_understood(record: Any, choices: st.DataObject) -> None:
    kind = next(kind for kind, known in KINDS.items() if known is type(record))
    data = next(data for (number, _), data in samples.encoded().items() if number == kind)
    row = msgspec.msgpack.decode(data[1:])
    row[choices.draw(st.integers(0, len(row) - 1))] = choices.draw(VALUES)
    understood(data[:1] + msgspec.msgpack.encode(row))


@pytest.mark.parametrize(
    "fields",
    [b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\xa1\xff", b"\x81\x80\x01", b"\xc7\x01\xff\x00"],
    ids=["endless", "deep", "no UTF-8", "map of maps", "timestamp"],
)
def test_hostile_bytes_are_not_understood(fields: bytes) -> None:
    for kind in KINDS:
        understood(bytes((kind,)) + fields)


@pytest.mark.parametrize("kind", ["command", "reply", "change"])
def test_an_unknown_kind_is_named(kind: str) -> None:
    with pytest.raises(NotUnderstood, match=rf"{kind} 250\b"):
        DECODERS[kind](b"\xfa\x90")


def test_a_reply_is_no_command() -> None:
    with pytest.raises(NotUnderstood):
        wire.decode_command(wire.encode_reply(samples.HELD))


def test_a_field_of_another_type_is_named() -> None:
    data = wire.encode_command(HoldSeats(7, "user:7", (41,)))[:1] + msgspec.msgpack.encode([7, 8, [41]])
    with pytest.raises(NotUnderstood, match=r"HoldSeats: Expected `str`, got `int`.*\$\[1\]"):
        wire.decode_command(data)


def test_an_error_of_decoding_is_answered_as_temporary() -> None:
    with pytest.raises(NotUnderstood) as refusal:
        wire.decode_command(b"\xfa\x90")
    assert wire.decode_refusal(wire.encode_refusal(refusal.value)).retryable


@pytest.mark.parametrize("unknown", [b"\xfa\x90", wire.encode_change(ChangeLeftOut(7, 3, 27))])
def test_missed_changes_of_an_unknown_kind_are_replaced_by_the_seat_map(unknown: bytes) -> None:
    kind = next(kind for kind, reply in REPLIES.items() if reply is Changes)
    missed = [wire.encode_change(samples.HELD), unknown]
    reply = decode_reply(bytes((kind,)) + msgspec.msgpack.encode([3, 27, missed]))
    assert reply == Changes(3, 27, None)


def test_only_released_seats_are_released_by_a_toggle() -> None:
    expired = wire.encode_change(HoldsExpired(7, 3, 26, samples.NOW, "system", ()))
    kind = next(kind for kind, reply in REPLIES.items() if reply.__name__ == "Toggled")
    with pytest.raises(NotUnderstood):
        decode_reply(bytes((kind,)) + msgspec.msgpack.encode([None, expired]))


def test_refusals_keep_their_data() -> None:
    error = wire.decode_refusal(frame(wire.encode_refusal(SeatsUnavailable([41], [42]))))
    assert (type(error), error.held, error.booked) == (SeatsUnavailable, (41,), (42,))
    assert set(REFUSALS.values()) == set(map(type, samples.REFUSALS))


def test_infinite_times_arrive() -> None:
    held = SeatsHeld(7, 3, 21, samples.NOW, "user:7", 901, (41,), float("inf"))
    assert decode_reply(wire.encode_reply(held)) == held
    assert held.holds[0] == Hold(901, 901, 7, 41, "user:7", samples.NOW, float("inf"))
