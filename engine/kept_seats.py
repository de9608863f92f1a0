"""The assignment of a screening's seats and places to blocks.

A seat stays in its block while somebody who may take it holds it or has bought it, and returns to it
afterwards. Only a seat that nobody has is kept back: then its record is `Kept`.
"""

from collections.abc import Collection, Iterable, Iterator
from math import inf

from engine.records import Block
from engine.seat_records import Kept


class KeptSeats:
    """The blocks of a screening.

    Attributes:
        blocks: by id.
        by_seat: the record of each seat while nobody has it.
    """

    __slots__ = ("blocks", "by_seat")

    def __init__(self) -> None:
        self.blocks: dict[int, Block] = {}
        self.by_seat: dict[int, Kept] = {}

    def put(self, block: Block, seat_ids: Iterable[int]) -> None:
        """Add a block, or seats to a block.

        Args:
            block: as it is from now on.
            seat_ids: the new ones of its seats.
        """
        kept = Kept(block.id, block.key)
        self.blocks[block.id] = block
        self.by_seat.update(dict.fromkeys(seat_ids, kept))

    def remove(self, block: Block, seat_ids: Collection[int]) -> Block:
        """Remove seats from a block, and the block if none are left. Returns the block with those left."""
        for seat_id in seat_ids:
            self.by_seat.pop(seat_id, None)
        gone = set(seat_ids)
        rest = block._replace(seat_ids=tuple([each for each in block.seat_ids if each not in gone]))
        if rest.seat_ids:
            self.blocks[block.id] = rest
        else:
            del self.blocks[block.id]
        return rest

    def open_to(self, access: Collection[str]) -> Iterator[int]:
        """The seats and places of the blocks that somebody with this access may take from."""
        for block in self.blocks.values():
            if block.key in access:
                yield from block.seat_ids

    @property
    def next_release(self) -> float:
        """Time of the next automatic release of a block, in seconds since the epoch; infinity without one."""
        return min((block.release_at for block in self.blocks.values() if block.release_at), default=inf)


NOTHING_KEPT = KeptSeats()
"""Stands for the blocks of a screening that has had none; never changed."""
