"""Seat maps in JSON: assembled from bytes that were encoded once, and kept until the next change.

What a hall's seats look like never changes, so every layout has its fragments, one per free seat, for as
long as anybody uses the layout. Of a screening only the seats that are not free are written anew, once per
(epoch, seq), for everybody; for a user only his own seats differ from what strangers see. Reading costs
the hall's size, but only in the copying of pointers and bytes.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from marshmallow import Schema, fields, validate

from api.bodies import Body
from api.recency import RecentlyUsed
from api.rest.endpoint import Answer
from api.wire import timestamp_or_none, user_id_of
from engine.records import Layout, Seat
from engine.replies import SeatMap, SeatView

AVAILABLE, RESERVED, RESERVED_BY_ME = "available", "reserved", "reserved_by_me"
# Of a seat's fragments in memory: three bytes objects of 90 to 170 bytes, and where they are listed.
_SEAT_BYTES = 600
_VERSIONS_KEPT = 1024

VERSION_HEADERS = {
    "ETag": "Version of the seats, to be sent as If-None-Match.",
    "X-Epoch": "Ownership period that X-Seq counts in, as `epoch` on the socket.",
    "X-Seq": "Last change the answer contains, as `seq` on the socket.",
}


class SeatOfRoom(Schema):
    """A seat."""

    id = fields.Integer(required=True, metadata={"example": 42})
    room_id = fields.Integer(required=True, metadata={"example": 1})
    row_label = fields.String(required=True, metadata={"example": "A"})
    seat_number = fields.Integer(required=True, metadata={"example": 5})
    seat_type = fields.String(required=True, metadata={"example": "standard"})


class SeatAvailability(Schema):
    """A seat and whether it can be had."""

    seat = fields.Nested(SeatOfRoom, required=True)
    status = fields.String(required=True, validate=validate.OneOf(("available", "reserved", "booked")))
    reserved_by = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Whose reservation it is."}
    )
    expires_at = fields.AwareDateTime(required=True, allow_none=True, format="iso")
    previously_reserved_by = fields.Integer(
        metadata={"description": "Whose reservation lapsed or was released, until somebody reserves again."}
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
    """One seat of the array, as the guides show it.

    Args:
        seat: the seat.
        view: its state.
        owned: whether it is the reader's; None where that is not told.
    """
    reserved = view.status == RESERVED
    document: dict[str, Any] = {
        "seat": _seat_document(seat),
        "status": RESERVED_BY_ME if reserved and owned else view.status,
        "reserved_by": user_id_of(view.holder) if reserved else None,
        "expires_at": timestamp_or_none(view.expires_at),
    }
    if owned is not None:
        document["is_mine"] = owned
    if (previous := user_id_of(view.previous_holder)) is not None:
        document["previously_reserved_by"] = previous
    return orjson.dumps(document)


class _Fragments:
    """The seats of a layout, all free, as fragments; and without their state."""

    def __init__(self, layout: Layout) -> None:
        free = [(seat, SeatView(seat.id, AVAILABLE)) for seat in layout.seats]
        self.public = [_fragment(seat, view, None) for seat, view in free]
        self.personal = [_fragment(seat, view, False) for seat, view in free]
        self.bare = [orjson.dumps(_seat_document(seat)) for seat in layout.seats]
        self.index = {seat.id: position for position, seat in enumerate(layout.seats)}


class _Picture:
    """One version of a screening's seats, as strangers see them.

    Attributes:
        public: the finished answer to the public question.
        personal: the fragments of the personal answer, as for somebody who owns nothing.
        owned: the seats that are somebody's, by their owner.
    """

    __slots__ = ("owned", "personal", "public", "version")

    def __init__(self, seat_map: SeatMap, fragments: _Fragments) -> None:
        self.version = (seat_map.epoch, seat_map.seq)
        public = fragments.public.copy()
        self.personal = fragments.personal.copy()
        self.owned: defaultdict[str, list[SeatView]] = defaultdict(list)
        for seat_id, view in seat_map.views.items():
            seat = seat_map.layout.by_id[seat_id]
            public[fragments.index[seat_id]] = _fragment(seat, view, None)
            self.personal[fragments.index[seat_id]] = _fragment(seat, view, False)
            if view.holder is not None:
                self.owned[view.holder].append(view)
        self.public = Body(_array(public))


def _array(fragments: list[bytes]) -> bytes:
    return b"[" + b",".join(fragments) + b"]"


class SeatMapEncoder:
    """Writes seat maps down.

    Args:
        limit_bytes: memory for versions that are ready.
    """

    def __init__(self, limit_bytes: int = 64 * 1024 * 1024) -> None:
        self._fragments: WeakKeyDictionary[Layout, _Fragments] = WeakKeyDictionary()
        self._pictures: RecentlyUsed[int, _Picture] = RecentlyUsed(limit_bytes)

    def public(self, seat_map: SeatMap) -> Body:
        """The seats as everybody may see them (the cinema guide's section 1)."""
        return self._picture(seat_map).public

    def personal(self, seat_map: SeatMap, holder: str) -> Body:
        """The seats as `holder` sees them (the seat guide's `availability/me`)."""
        picture = self._picture(seat_map)
        fragments = picture.personal
        if own := picture.owned.get(holder):
            index = self._fragments_of(seat_map.layout).index
            fragments = fragments.copy()
            for view in own:
                fragments[index[view.seat_id]] = _fragment(seat_map.layout.by_id[view.seat_id], view, True)
        return Body(_array(fragments))

    def available(self, seat_map: SeatMap) -> Body:
        """The seats that are free, without their state."""
        fragments, taken = self._fragments_of(seat_map.layout), seat_map.views
        return Body(
            _array(
                [
                    fragment
                    for seat, fragment in zip(seat_map.layout.seats, fragments.bare, strict=True)
                    if seat.id not in taken or taken[seat.id].status == AVAILABLE
                ]
            )
        )

    def _picture(self, seat_map: SeatMap) -> _Picture:
        picture = self._pictures.get(seat_map.screening_id)
        if picture is None or picture.version != (seat_map.epoch, seat_map.seq):
            picture = _Picture(seat_map, self._fragments_of(seat_map.layout))
            size_bytes = len(picture.public.plain) + _SEAT_BYTES * len(picture.personal)
            self._pictures.put(seat_map.screening_id, picture, size_bytes)
        return picture

    def _fragments_of(self, layout: Layout) -> _Fragments:
        fragments = self._fragments.get(layout)
        if fragments is None:
            fragments = self._fragments[layout] = _Fragments(layout)
        return fragments


def seats_answer(seat_map: SeatMap, body: Body, reader: str = "") -> Answer:
    """Seats of a screening with their version.

    Args:
        seat_map: what the engine says of them.
        body: the seats, written down.
        reader: who sees them so, if not everybody does.
    """
    return Answer(200, body, _version_headers(seat_map.epoch, seat_map.seq, reader))


@lru_cache(_VERSIONS_KEPT)
def _version_headers(epoch: int, seq: int, reader: str) -> Mapping[str, str]:
    return {
        "Cache-Control": "no-cache",
        "ETag": f'W/"{epoch}-{seq}{reader}"',
        "X-Epoch": str(epoch),
        "X-Seq": str(seq),
    }
