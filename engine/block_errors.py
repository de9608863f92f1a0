"""The errors of changing a block. See `engine.errors` for the rules."""

from engine.errors import NotFound, Refused


class BlockNotFound(NotFound):
    """The screening has no such block, or it has been released."""

    code = "block_not_found"

    def __init__(self, block_id: int) -> None:
        super().__init__("block", block_id)


class BlockLimitReached(Refused):
    """The screening has as many blocks as it may have."""

    code = "block_limit_reached"
    limit = 0

    def __init__(self, limit: int) -> None:
        super().__init__(f"A screening has at most {limit} blocks; release one that is no longer needed")
        self.limit = limit
