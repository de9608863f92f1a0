"""Nodes of two neighbouring releases understand each other."""

import importlib
import pkgutil
from typing import Any, get_args

import msgspec
import pytest

import engine
from cluster import kinds, wire
from cluster.kinds import KINDS, REFUSALS, RETIRED
from cluster.messages import NotUnderstood
from engine import events, views
from engine.commands import Command
from engine.errors import EngineError, NotFound, Refused, Unavailable
from engine.records import Hold, Receipt
from engine.replies import Held, Reply, Stock, StockLevel
from engine.selling_errors import HoldLifeSpent, SeatsUnavailable
from engine.views import SeatsShown
from tests.cluster import wire_samples as samples

NEW_FIELDS = ["of a newer release", {"with": [1]}]


def fields_of(data: bytes) -> list[Any]:
    return msgspec.msgpack.decode(data[1:])


def with_fields(data: bytes, fields: list[Any]) -> bytes:
    return data[:1] + msgspec.msgpack.encode(fields)


def decode_reply(data: bytes) -> Any:
    return wire.decode_reply(data, lambda room_id, version: samples.LAYOUT)


def name_of(record: object) -> str:
    return type(record).__name__


# Numbers


def errors_of_the_engine() -> set[type[EngineError]]:
    for module in pkgutil.iter_modules(engine.__path__):
        importlib.import_module(f"engine.{module.name}")
    found, pending = set(), [EngineError]
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        if error.__module__.startswith("engine."):
            found.add(error)
    return found


def changes_of_the_engine() -> set[type]:
    """The classes that have what `SeatsChanged` demands beside the fields of all events."""
    return {
        cls
        for module in (events, views)
        for cls in vars(module).values()
        if hasattr(cls, "_fields") and all(hasattr(cls, name) for name in ("views", "cause", "ended"))
    }


def test_everything_that_travels_has_a_number() -> None:
    assert set(get_args(Command)) <= set(kinds.COMMANDS.values())
    assert set(get_args(Reply)) <= set(kinds.REPLIES.values())
    assert changes_of_the_engine() <= set(kinds.CHANGES.values())
    assert errors_of_the_engine() <= set(REFUSALS.values())
    assert set(get_args(views.Shown)) == set(kinds.SHOWN.values())


def test_a_number_means_one_class() -> None:
    tables = (kinds.COMMANDS, kinds.CHANGES, kinds.REPLIES, kinds.PARTS, kinds.SHOWN, REFUSALS)
    for table in tables:
        assert all(KINDS[kind] is cls for kind, cls in table.items())
        assert len(set(table.values())) == len(table)
    assert len(set(KINDS.values())) == len(KINDS)
    assert all(0 < kind < 256 for kind in KINDS)
    assert not RETIRED & KINDS.keys()


@pytest.mark.parametrize("version", range(1, wire.VERSION + 1))
def test_a_number_is_never_used_again(version: int) -> None:
    for kind, name in samples.recorded(version):
        assert kind in RETIRED or KINDS[kind].__name__ == name


# The bytes


def test_a_change_of_the_bytes_raises_the_version() -> None:
    """If this fails: raise `VERSION`, then run `python -m tests.cluster.wire_samples`."""
    assert samples.encoded() == samples.recorded(wire.VERSION)


def test_every_kind_is_recorded() -> None:
    recorded = {kind for kind, _ in samples.recorded(wire.VERSION)}
    assert recorded == KINDS.keys() - kinds.SHOWN.keys()


def test_what_was_recorded_is_decoded() -> None:
    by_name = {name: data for (_, name), data in samples.recorded(wire.VERSION).items()}
    for command in samples.COMMANDS:
        assert wire.decode_command(by_name[name_of(command)]) == command
    for reply in samples.REPLIES:
        assert decode_reply(by_name[name_of(reply)]) == reply
    for change in samples.CHANGES:
        assert wire.decode_change(by_name[name_of(change)]) == change
    for refusal in samples.REFUSALS:
        assert str(wire.decode_refusal(by_name[name_of(refusal)])) == str(refusal)


@pytest.mark.parametrize("version", range(max(1, wire.VERSION - 1), wire.VERSION + 1))
def test_what_the_last_release_sent_is_decoded(version: int) -> None:
    for (kind, _), data in samples.recorded(version).items():
        if kind in kinds.COMMANDS:
            wire.decode_command(data)
        elif kind in kinds.REPLIES:
            decode_reply(data)
        elif kind in kinds.CHANGES:
            wire.decode_change(data)
        elif kind in REFUSALS:
            wire.decode_refusal(data)


# Fields


@pytest.mark.parametrize("command", samples.COMMANDS, ids=name_of)
def test_a_command_of_a_newer_node_may_have_more_fields(command: Any) -> None:
    data = wire.encode_command(command)
    assert wire.decode_command(with_fields(data, [*fields_of(data), *NEW_FIELDS])) == command


@pytest.mark.parametrize("reply", samples.REPLIES, ids=name_of)
def test_a_reply_of_a_newer_node_may_have_more_fields(reply: Any) -> None:
    data = wire.encode_reply(reply)
    assert decode_reply(with_fields(data, [*fields_of(data), *NEW_FIELDS])) == reply


@pytest.mark.parametrize("change", samples.CHANGES, ids=name_of)
def test_a_change_of_a_newer_node_may_have_more_fields(change: Any) -> None:
    data = wire.encode_change(change)
    assert wire.decode_change(with_fields(data, [*fields_of(data), *NEW_FIELDS])) == change


@pytest.mark.parametrize("command", samples.COMMANDS, ids=name_of)
def test_a_command_of_an_older_node_gets_the_defaults(command: Any) -> None:
    data, defaults = wire.encode_command(command), command._field_defaults
    for known in range(len(command) - len(defaults), len(command)):
        expected = type(command)(*command[:known])
        assert wire.decode_command(with_fields(data, fields_of(data)[:known])) == expected


@pytest.mark.parametrize("change", samples.CHANGES, ids=name_of)
def test_a_change_of_an_older_node_gets_the_defaults(change: Any) -> None:
    data, defaults = wire.encode_change(change), change._field_defaults
    for known in range(len(change) - len(defaults), len(change)):
        expected = type(change)(*change[:known])
        assert wire.decode_change(with_fields(data, fields_of(data)[:known])) == expected


@pytest.mark.parametrize("command", samples.COMMANDS, ids=name_of)
def test_a_command_without_a_field_that_has_no_default_is_not_understood(command: Any) -> None:
    data = wire.encode_command(command)
    needed = len(command) - len(command._field_defaults)
    with pytest.raises(NotUnderstood, match=name_of(command)):
        wire.decode_command(with_fields(data, fields_of(data)[: needed - 1]))


def test_records_within_a_command_may_have_other_fields() -> None:
    book = samples.COMMANDS[5]
    data = wire.encode_command(book)
    fields = fields_of(data)
    fields[6] += NEW_FIELDS
    fields[9] = [[*paper, *NEW_FIELDS] for paper in fields[9]]
    received = wire.decode_command(with_fields(data, fields))
    assert received == book
    assert type(received.receipt) is Receipt


def test_records_within_a_reply_may_have_other_fields() -> None:
    short = Held((samples.HOLD._replace(extensions=0, note=None, price_cents=None),))
    for reply, change in (
        (Held((samples.HOLD,)), lambda hold: [*hold, *NEW_FIELDS]),
        (short, lambda hold: hold[:7]),
    ):
        data = wire.encode_reply(reply)
        received = decode_reply(with_fields(data, [[change(hold) for hold in fields_of(data)[0]]]))
        assert received == reply
        assert type(received.holds[0]) is Hold


def test_records_by_id_may_have_other_fields() -> None:
    stock = Stock(7, 3, 24, 98, 100, {3: StockLevel(50, 10, 2), 4: StockLevel(9, 0, 0)})
    data = wire.encode_reply(stock)
    fields = fields_of(data)
    fields[5] = {ticket_type_id: [*level, *NEW_FIELDS] for ticket_type_id, level in fields[5].items()}
    assert decode_reply(with_fields(data, fields)) == stock


def test_the_seats_of_a_change_may_have_other_fields() -> None:
    shown = SeatsShown(
        7, 3, 23, samples.NOW, "tickets_issued", (samples.FREE, samples.SOLD), ended=(samples.HOLD,)
    )
    data = wire.encode_change(shown)
    fields = fields_of(data)
    fields[5] = [with_fields(run, [[*seat, *NEW_FIELDS] for seat in fields_of(run)]) for run in fields[5]]
    fields[9] = [[*hold, *NEW_FIELDS] for hold in fields[9]]
    assert wire.decode_change(with_fields(data, fields)) == shown


def test_the_seats_of_a_seat_map_may_have_other_fields() -> None:
    seat_map = samples.REPLIES[11]
    data = wire.encode_reply(seat_map)
    fields = fields_of(data)
    fields[5] = [[*view, *NEW_FIELDS] for view in fields[5]]
    assert decode_reply(with_fields(data, fields)) == seat_map


def test_an_unknown_kind_of_seats_is_named() -> None:
    data = wire.encode_change(samples.SHOWN)
    fields = fields_of(data)
    fields[5] = [b"\xfa\x90"]
    with pytest.raises(NotUnderstood, match="seats 250"):
        wire.decode_change(with_fields(data, fields))


# Refusals


def received_by_an_older_node(error: EngineError) -> EngineError:
    """The error as a node gets it that does not know its number."""
    return wire.decode_refusal(b"\xfa" + wire.encode_refusal(error)[1:])


BASES = (EngineError, NotFound, Refused, Unavailable)


@pytest.mark.parametrize(
    "error", [error for error in samples.REFUSALS if type(error) not in BASES], ids=name_of
)
def test_an_unknown_refusal_is_its_nearest_known_base(error: EngineError) -> None:
    received = received_by_an_older_node(error)
    assert isinstance(error, type(received)) or type(received) in (Refused, Unavailable)
    assert type(received) is not EngineError
    assert (str(received), received.code, received.retryable) == (str(error), error.code, error.retryable)
    if isinstance(error, Unavailable):
        assert isinstance(received, Unavailable)
        assert received.retry_after_seconds == error.retry_after_seconds
    if isinstance(error, NotFound):
        assert type(received) is NotFound


class TooManyHats(Refused):
    code = "too_many_hats"
    retryable = True

    def __init__(self, hats: int) -> None:
        super().__init__(f"{hats} hats are too many")
        self.hats = hats


class HatsAway(Unavailable):
    code = "hats_away"
    retry_after_seconds = 7


@pytest.mark.parametrize(("error", "base"), [(TooManyHats(3), Refused), (HatsAway("Gone"), Unavailable)])
def test_a_refusal_without_a_number_travels_as_its_base(error: EngineError, base: type[EngineError]) -> None:
    for received in (wire.decode_refusal(wire.encode_refusal(error)), received_by_an_older_node(error)):
        assert type(received) is base
        assert (str(received), received.code, received.retryable) == (str(error), error.code, True)
        if isinstance(received, Unavailable):
            assert received.retry_after_seconds == 7


def refusal_with(error: EngineError, **changed: Any) -> bytes:
    """An encoded error with other attributes; those that are None are left out."""
    data = wire.encode_refusal(error)
    start = data[: 2 + data[1]]
    args, attributes = msgspec.msgpack.decode(data[len(start) :])
    attributes = {name: value for name, value in (attributes | changed).items() if value is not None}
    return start + msgspec.msgpack.encode([args, attributes, *NEW_FIELDS])


def test_a_refusal_of_a_newer_node_may_have_more_attributes() -> None:
    error = SeatsUnavailable([41], [42])
    received = wire.decode_refusal(refusal_with(error, wanted=[1, {"a": 2}]))
    assert vars(received) == vars(error)


def test_a_refusal_without_an_attribute_that_the_api_needs_is_not_understood() -> None:
    with pytest.raises(NotUnderstood, match="retry_after_seconds"):
        wire.decode_refusal(refusal_with(HoldLifeSpent("Seat 41", 1800.0, 61.5), retry_after_seconds=None))
