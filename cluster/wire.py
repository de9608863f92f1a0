"""The form in which commands, replies, refusals and changes travel between nodes: bytes.

Nodes of two neighbouring releases serve side by side, so this form changes only as follows:

* A class gets a number in `cluster.kinds`, which is never used again.
* Fields travel by position. A new field comes last and has a default: an older node ignores it, and a newer
  node uses the default when an older one does not send it. A field is never removed or given another type.
* Every change of the bytes raises `VERSION`; recorded samples in the tests see to that. A node that does
  not know a command answers `NotUnderstood`, so a new one is of use once all nodes know it.

Times such as `expires_at` are in seconds since the epoch, as in the engine, so the clocks of the nodes have
to be synchronised. How long a caller waits is not part of a command; `cluster.links` sends it as a
duration.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

from cluster.forms import Form, decode, row_like
from cluster.kinds import CHANGES, COMMANDS, REPLIES, SHOWN
from cluster.messages import ChangeLeftOut, LayoutMissing, NotUnderstood, ReadNewSeats, SeatsUnchanged
from cluster.refusals import decode_refusal, encode_refusal
from engine.commands import Command
from engine.events import HoldEvent, HoldsReleased, SeatsHeld
from engine.handover import Handover
from engine.records import Layout, make
from engine.replies import Changes, Reply, Toggled
from engine.sale_rules import ALWAYS, Window
from engine.views import SeatMap, SeatsChanged, SeatsShown, SeatView, Shown

__all__ = [
    "VERSION",
    "Answer",
    "LayoutOf",
    "decode_change",
    "decode_command",
    "decode_refusal",
    "decode_reply",
    "encode_change",
    "encode_command",
    "encode_refusal",
    "encode_reply",
]

VERSION = 7
"""Version of the form. A node understands the versions next to its own."""

CHANGE_BYTES_LIMIT = 128 * 1024
"""Watchers are not sent a longer change; they ask for the seats."""

MISSED_BYTES_LIMIT = 256 * 1024
"""Clients that missed more than this get the whole seat map instead."""

Answer = Reply | SeatsUnchanged | Handover
"""The answers of the owner of a screening."""

LayoutOf = Callable[[int, int], Layout | None]
"""Finds a layout by room id and version, or a newer one of the room; None if it is not loaded."""


def encode_command(command: Command | ReadNewSeats) -> bytes:
    """Encode a command for the owner of its screening."""
    return _encode[type(command)](command)


def decode_command(data: object) -> Command | ReadNewSeats:
    """Decode a command.

    Raises:
        NotUnderstood: it is of an unknown kind, or of another form.
    """
    command: Command | ReadNewSeats = decode(_COMMANDS, "command", data)
    return command


def encode_reply(reply: Answer) -> bytes:
    """Encode a reply. `cluster.long_replies` sends a long one in parts.

    `Changes` that are longer than `MISSED_BYTES_LIMIT` are sent as if they were no longer kept.
    """
    return _encode[type(reply)](reply)


def decode_reply(data: object, layout_of: LayoutOf) -> Answer:
    """Decode a reply.

    Args:
        data: what `encode_reply` has made.
        layout_of: finds the layout of a seat map.

    Raises:
        NotUnderstood: it is of an unknown kind, or of another form.
        LayoutMissing: `layout_of` has not found the layout.
    """
    reply: Any = decode(_REPLIES, "reply", data)
    if type(reply) is not _SeatMapRow:
        return reply  # type: ignore[no-any-return]
    screening_id, epoch, seq, room_id, version, views, window = reply
    layout = layout_of(room_id, version)
    if layout is None:
        raise LayoutMissing(room_id, version)
    return SeatMap(screening_id, epoch, seq, layout, {view.seat_id: view for view in views}, window)


def encode_change(change: SeatsChanged) -> bytes:
    """Encode a change for watchers. One that is longer than `CHANGE_BYTES_LIMIT` becomes `ChangeLeftOut`."""
    data = _encode[type(change)](change)
    if len(data) > CHANGE_BYTES_LIMIT:
        return _encode[ChangeLeftOut](ChangeLeftOut(change.screening_id, change.epoch, change.seq))
    return data


def decode_change(data: object) -> SeatsChanged | ChangeLeftOut:
    """Decode a change.

    Raises:
        NotUnderstood: it is of an unknown kind, or of another form.
    """
    change: SeatsChanged | ChangeLeftOut = decode(_CHANGES, "change", data)
    return change


# Records whose fields do not travel as they are. msgspec decodes no field that may be one of several records,
# so such a field travels as bytes that begin with a number.


class _SeatMapRow(NamedTuple):
    screening_id: int
    epoch: int
    seq: int
    room_id: int
    version: int
    views: tuple[SeatView, ...]
    window: Window = ALWAYS


class _ToggledRow(NamedTuple):
    holding: SeatsHeld | None
    releasing: bytes | None


class _ChangesRow(NamedTuple):
    epoch: int
    seq: int
    missed: tuple[bytes, ...] | None
    window: Window = ALWAYS


_SHOWN = {kind: Form(kind, tuple[shown, ...]) for kind, shown in SHOWN.items()}  # type: ignore[valid-type]

_shown_of = {SHOWN[kind]: form for kind, form in _SHOWN.items()}


def _pack_seats(seats: Sequence[Shown]) -> list[bytes]:
    """Encode neighbours of one class together; nearly always those are all seats."""
    if len(set(map(type, seats))) == 1:
        return [_shown_of[type(seats[0])].encode(seats)]
    return [_shown_of[shown].encode(list(run)) for shown, run in groupby(seats, type)]


def _unpack_seats(runs: Sequence[bytes]) -> tuple[Shown, ...]:
    if len(runs) == 1:
        seats: tuple[Shown, ...] = decode(_SHOWN, "seats", runs[0])
        return seats
    return tuple([shown for run in runs for shown in decode(_SHOWN, "seats", run)])


def _form_with_seats(kind: int, change: Any) -> Form:
    at = change._fields.index("seats")

    def pack(record: Any) -> object:
        return (*record[:at], _pack_seats(record[at]), *record[at + 1 :])

    def unpack(row: Any) -> Any:
        return make(change, (*row[:at], _unpack_seats(row[at]), *row[at + 1 :]))

    return Form(kind, change, row_like(change, seats=tuple[bytes, ...]), pack, unpack)


def _pack_seat_map(seat_map: SeatMap) -> _SeatMapRow:
    screening_id, epoch, seq, layout, views, window = seat_map
    return _SeatMapRow(
        screening_id, epoch, seq, layout.room_id, layout.version, tuple(views.values()), window
    )


def _pack_toggled(toggled: Toggled) -> _ToggledRow:
    holding, releasing = toggled
    return _ToggledRow(holding, None if releasing is None else encode_change(releasing))


def _unpack_toggled(row: _ToggledRow) -> Toggled:
    if row.releasing is None:
        return Toggled(row.holding, None)
    releasing = decode_change(row.releasing)
    if type(releasing) is not HoldsReleased:
        raise NotUnderstood(f"Toggled: {type(releasing).__name__} for released seats")
    return Toggled(row.holding, releasing)


def _pack_changes(changes: Changes) -> _ChangesRow:
    epoch, seq, missed, window = changes
    if missed is None:
        return _ChangesRow(epoch, seq, None, window)
    encoded, length = [], 0
    for change in missed:
        data = _encode[type(change)](change)
        length += len(data)
        if length > MISSED_BYTES_LIMIT:
            return _ChangesRow(epoch, seq, None, window)
        encoded.append(data)
    return _ChangesRow(epoch, seq, tuple(encoded), window)


def _unpack_changes(row: _ChangesRow) -> Changes:
    """If a change is of a kind that this node does not know, the client gets the whole seat map."""
    epoch, seq, missed, window = row
    if missed is None:
        return Changes(epoch, seq, None, window)
    try:
        changes = tuple([decode_change(change) for change in missed])
    except NotUnderstood:
        return Changes(epoch, seq, None, window)
    if any(type(change) is ChangeLeftOut for change in changes):
        return Changes(epoch, seq, None, window)
    return Changes(epoch, seq, cast(tuple[SeatsChanged, ...], changes), window)


_ROWS: Mapping[type, tuple[Any, ...]] = {
    SeatMap: (_SeatMapRow, _pack_seat_map),
    Toggled: (_ToggledRow, _pack_toggled, _unpack_toggled),
    Changes: (_ChangesRow, _pack_changes, _unpack_changes),
}
"""The row of a record that does not travel as it is, and how it is packed and unpacked."""


def _form_of(kind: int, record: type) -> Form:
    if issubclass(record, HoldEvent | SeatsShown):
        return _form_with_seats(kind, record)
    return Form(kind, record, *_ROWS.get(record, ()))


_CHANGES = {kind: _form_of(kind, change) for kind, change in CHANGES.items()}

_REPLIES = {kind: _CHANGES.get(kind) or _form_of(kind, reply) for kind, reply in REPLIES.items()}

_COMMANDS = {kind: _form_of(kind, command) for kind, command in COMMANDS.items()}

_encode: Mapping[type, Callable[[Any], bytes]] = {
    record: forms[kind].encode
    for records, forms in ((COMMANDS, _COMMANDS), (REPLIES, _REPLIES), (CHANGES, _CHANGES))
    for kind, record in records.items()
}
