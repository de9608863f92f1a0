"""The event socket's messages for the changes of one update."""

import json

from api.events.updates import EventUpdates
from engine.views import SeatsShown

AT = 1_731_321_000.0


def change(seq: int, cause: str, available: int) -> SeatsShown:
    return SeatsShown(123, 1, seq, AT + seq, cause, (), available, 100)


def messages_for(*changes: SeatsShown) -> list[dict]:
    """Return the messages that a client receives."""
    frames = EventUpdates([changes]).frames("user:7")
    wire = frames.wire
    messages = []
    while wire:
        # An unmasked final text frame (RFC 6455, section 5.2).
        assert wire[0] == 0x81
        size, start = wire[1], 2
        if size == 126:
            size, start = int.from_bytes(wire[2:4], "big"), 4
        messages.append(json.loads(wire[start : start + size]))
        wire = wire[start + size :]
    assert frames.number == len(messages)
    return messages


def test_every_booking_has_its_own_count_and_the_update_ends_with_the_final_counts():
    messages = messages_for(
        change(1, "tickets_issued", 44),
        change(2, "seats_held", 43),
        change(3, "tickets_issued", 42),
        change(4, "tickets_cancelled", 43),
        change(5, "tickets_lapsed", 45),
        change(6, "holds_released", 46),
    )
    assert [(m["type"], m["availableSeats"], m["timestamp"]) for m in messages] == [
        ("booking_created", 44, "2024-11-11T10:30:01.000Z"),
        ("booking_created", 42, "2024-11-11T10:30:03.000Z"),
        ("booking_cancelled", 43, "2024-11-11T10:30:04.000Z"),
        ("booking_cancelled", 45, "2024-11-11T10:30:05.000Z"),
        ("seat_update", 46, "2024-11-11T10:30:06.000Z"),
    ]


def test_changes_that_do_not_affect_the_counts_are_not_sent():
    assert messages_for(change(1, "holds_extended", 44), change(2, "tickets_confirmed", 44)) == []


def test_a_failed_booking_sends_the_counts():
    assert [m["type"] for m in messages_for(change(1, "operation_aborted", 44))] == ["seat_update"]


def test_all_watchers_get_the_same_bytes():
    updates = EventUpdates([[change(1, "tickets_issued", 44)]])
    assert updates.frames("user:7") is updates.frames("user:8")
