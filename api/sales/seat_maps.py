"""Encodes seat maps as JSON from cached fragments.

A layout never changes, so its available seats are encoded once, one fragment per seat, and cached as long as
the layout is in use. For a new version (epoch, seq) of a screening only the seats that differ from the last
one are encoded, once for all callers; for a user only the user's own seats differ. A request therefore only
copies pointers and bytes in proportion to the size of the room.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary, ref

import orjson
from marshmallow import Schema, fields, validate

from api.bodies import Body, compact
from api.lru_cache import LruCache
from api.rest.endpoint import Answer, Call
from api.wire import new_timestamp, price, timestamp, timestamp_or_none, user_id_of
from engine.records import Layout, Seat
from engine.sale_rules import ALWAYS
from engine.views import SeatMap, SeatView

AVAILABLE, RESERVED, RESERVED_BY_ME = "available", "reserved", "reserved_by_me"
_SEAT_BYTES = 30
"""Memory per seat: an entry of a list, and its share of the compressed body."""

_TAKEN_SEAT_BYTES = 600
"""Memory per taken seat, besides: its view, and what it is encoded to."""

_IDLE_SECONDS = 300.0
"""Time after which a seat map that nobody asks for is dropped. By default its screening stays as long."""

_VERSIONS_KEPT = 1024

Access = tuple[str, ...]
"""Keys of the blocks whose seats a caller may have; they are available to it."""

VERSION_HEADERS = {
    "ETag": "Version of the seats; send it as If-None-Match.",
    "X-Epoch": "Ownership period that X-Seq counts in; the same as `epoch` on the WebSocket.",
    "X-Seq": "Last change contained in the response; the same as `seq` on the WebSocket.",
    "X-Server-Time": "The server's time, to the millisecond; only if there is a sales window.",
    "X-Sales-Start": "When sales open, if they have not always been open.",
    "X-Sales-End": "When sales close, if they do before the screening starts.",
}


def blocked_field() -> fields.Boolean:
    """Return the field that stands beside the status of a seat and marks it as kept back."""
    return fields.Boolean(
        metadata={
            "description": "True beside `booked` if the seat is not sold but kept back by the organiser; "
            "absent otherwise.",
            "example": True,
        }
    )


class SeatOfRoom(Schema):
    id = fields.Integer(required=True, metadata={"example": 42})
    room_id = fields.Integer(required=True, metadata={"example": 1})
    row_label = fields.String(required=True, metadata={"example": "A"})
    seat_number = fields.Integer(required=True, metadata={"example": 5})
    seat_type = fields.String(required=True, metadata={"example": "standard"})


class SeatAvailability(Schema):
    seat = fields.Nested(SeatOfRoom, required=True)
    status = fields.String(required=True, validate=validate.OneOf(("available", "reserved", "booked")))
    blocked = blocked_field()
    reserved_by = fields.Integer(
        required=True, allow_none=True, metadata={"description": "User id, if a user has reserved the seat."}
    )
    expires_at = fields.AwareDateTime(required=True, allow_none=True, format="iso")
    previously_reserved_by = fields.Integer(
        metadata={
            "description": "User id of the last reservation that expired or was released; absent once the "
            "seat is reserved again."
        }
    )


def _seat_document(seat: Seat) -> dict[str, Any]:
    return {
        "id": seat.id,
        "room_id": seat.room_id,
        "row_label": seat.row_label,
        "seat_number": seat.seat_number,
        "seat_type": seat.seat_type,
    }


def _fragment(seat: Seat, view: SeatView, owned: bool | None) -> bytes:
    """Encode one seat of the array, as in the guides.

    Args:
        seat: the seat.
        view: its state.
        owned: whether the seat is the caller's; None to omit `is_mine`.
    """
    reserved = view.status == RESERVED
    document: dict[str, Any] = {
        "seat": _seat_document(seat),
        "status": RESERVED_BY_ME if reserved and owned else view.status,
        "reserved_by": user_id_of(view.holder) if reserved else None,
        "expires_at": timestamp_or_none(view.expires_at),
    }
    if view.blocked:
        document["blocked"] = True
    if owned is not None:
        document["is_mine"] = owned
        if owned and view.price_cents is not None:
            document["price"] = price(view.price_cents)
    if (previous := user_id_of(view.previous_holder)) is not None:
        document["previously_reserved_by"] = previous
    return compact(orjson.dumps(document))


class _Fragments:
    """The encoded seats of a layout, all available.

    Attributes:
        public: seats with status.
        personal: seats with status and `is_mine` false.
        bare: seats without status.
        index: position of each seat, by id.
    """

    def __init__(self, layout: Layout) -> None:
        free = [(seat, SeatView(seat.id, AVAILABLE)) for seat in layout.seats]
        self.public = [_fragment(seat, view, None) for seat, view in free]
        self.personal = [_fragment(seat, view, False) for seat, view in free]
        self.bare = [compact(orjson.dumps(_seat_document(seat))) for seat in layout.seats]
        self.index = {seat.id: position for position, seat in enumerate(layout.seats)}


class _EncodedMap:
    """One version of a screening's seats, encoded for callers who have none of them.

    Args:
        seat_map: the version.
        layout_fragments: those of its layout.
        personal: whether seats have `is_mine`.
        earlier: another version in the same form, if one is at hand: only seats that differ are encoded.

    Attributes:
        fragments: one for each seat, in the order of the layout.
        body: all of them.
    """

    __slots__ = ("_layout", "_version", "_views", "body", "fragments")

    def __init__(
        self,
        seat_map: SeatMap,
        layout_fragments: _Fragments,
        personal: bool,
        earlier: "_EncodedMap | None",
    ) -> None:
        layout = seat_map.layout
        self._version = (seat_map.epoch, seat_map.seq)
        self._views = seat_map.views
        # Weak, because layouts that are not used any more, and their fragments, are not kept for this.
        self._layout = ref(layout)
        free = layout_fragments.personal if personal else layout_fragments.public
        before: Mapping[int, SeatView] = {}
        fragments = free
        if earlier is not None and earlier._layout() is layout:
            before, fragments = earlier._views, earlier.fragments
        self.fragments: list[bytes] = fragments.copy()
        index, owned = layout_fragments.index, False if personal else None
        for seat_id in before.keys() - self._views.keys():
            self.fragments[index[seat_id]] = free[index[seat_id]]
        for seat_id, view in self._views.items():
            # The engine makes a view anew only if its seat has changed.
            if before.get(seat_id) is not view:
                self.fragments[index[seat_id]] = _fragment(layout.by_id[seat_id], view, owned)
        self.body = Body(_array(self.fragments))

    def is_of(self, seat_map: SeatMap) -> bool:
        """Return whether it is the encoding of this version."""
        return self._version == (seat_map.epoch, seat_map.seq)

    def owned_by(self, holder: str) -> list[SeatView]:
        """Return the seats of a holder."""
        return [view for view in self._views.values() if view.holder == holder]

    @property
    def size_bytes(self) -> int:
        """Its memory in bytes, without what it shares with other maps of the layout."""
        taken_bytes = _TAKEN_SEAT_BYTES * len(self._views)
        return len(self.body.plain) + _SEAT_BYTES * len(self.fragments) + taken_bytes


def _array(fragments: list[bytes]) -> bytes:
    return b"[" + b",".join(fragments) + b"]"


class SeatMapEncoder:
    """Encodes seat maps, caching the last version of each screening.

    Args:
        limit_bytes: size of the cache.
        now: returns the time in seconds; monotonic.
    """

    def __init__(self, limit_bytes: int = 64 * 1024 * 1024, now: Callable[[], float] = monotonic) -> None:
        self._fragments: WeakKeyDictionary[Layout, _Fragments] = WeakKeyDictionary()
        self._encoded_maps: LruCache[tuple[int, Access, bool], _EncodedMap] = LruCache(
            limit_bytes, idle_seconds=_IDLE_SECONDS, now=now
        )

    def public(self, seat_map: SeatMap, access: Access = ()) -> Body:
        """Encode the seats for anonymous callers (section 1 of the cinema guide)."""
        return self._encoded(seat_map, access, personal=False).body

    def personal(self, seat_map: SeatMap, holder: str, access: Access = ()) -> Body:
        """Encode the seats as `holder` sees them (the seat guide's `availability/me`)."""
        encoded = self._encoded(seat_map, access, personal=True)
        own = encoded.owned_by(holder)
        if not own:
            return encoded.body
        index, fragments = self._fragments_of(seat_map.layout).index, encoded.fragments.copy()
        for view in own:
            fragments[index[view.seat_id]] = _fragment(seat_map.layout.by_id[view.seat_id], view, True)
        return Body(_array(fragments))

    def available(self, seat_map: SeatMap, access: Access = ()) -> Body:
        """Encode the available seats, without status."""
        fragments, taken = self._fragments_of(seat_map.layout), seat_map.with_access(access).views
        return Body(
            _array(
                [
                    fragment
                    for seat, fragment in zip(seat_map.layout.seats, fragments.bare, strict=True)
                    if seat.id not in taken or taken[seat.id].status == AVAILABLE
                ]
            )
        )

    def _encoded(self, seat_map: SeatMap, access: Access, personal: bool) -> _EncodedMap:
        key = (seat_map.screening_id, access, personal)
        encoded = self._encoded_maps.get(key)
        if encoded is None or not encoded.is_of(seat_map):
            fragments = self._fragments_of(seat_map.layout)
            encoded = _EncodedMap(seat_map.with_access(access), fragments, personal, encoded)
            self._encoded_maps.put(key, encoded, encoded.size_bytes)
        return encoded

    def _fragments_of(self, layout: Layout) -> _Fragments:
        fragments = self._fragments.get(layout)
        if fragments is None:
            fragments = self._fragments[layout] = _Fragments(layout)
        return fragments


def seats_answer(call: Call, seat_map: SeatMap, body: Body, reader: str = "") -> Answer:
    """Return a response with a screening's seats, version headers, and when it is on sale.

    Args:
        call: the request, for the server's time.
        seat_map: the engine's reply.
        body: the encoded seats.
        reader: part of the ETag that tells personal responses apart; empty for public ones.
    """
    headers = _version_headers(seat_map.epoch, seat_map.seq, "+".join((reader, *call.access)))
    if (window := seat_map.window) != ALWAYS:
        times = (("X-Sales-Start", window.sales_start), ("X-Sales-End", window.sales_end))
        headers = {**headers, "X-Server-Time": new_timestamp(call.services.clock.now())}
        headers |= {name: timestamp(at) for name, at in times if at is not None}
    return Answer(200, body, headers)


@lru_cache(_VERSIONS_KEPT)
def _version_headers(epoch: int, seq: int, reader: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-cache",
        "ETag": f'W/"{epoch}-{seq}{reader}"',
        "X-Epoch": str(epoch),
        "X-Seq": str(seq),
    }
