"""The transition table: the states of a seat, and which action leads from which state to which.

A seat of a screening is in exactly one state. A seat without a record is `AVAILABLE`, and a hold makes it
`HELD`. Durable changes (issuing, confirming, moving, cancelling or lapsing a ticket) go through
`COMMITTING`, in which every other command for the seat is rejected until Postgres has answered: `SETTLE`
completes the change, `ABORT` restores the previous state.

                 HOLD                 ISSUE             SETTLE
    AVAILABLE ─────────▶ HELD ──────────────▶ COMMITTING ───▶ BOOKED | PENDING | AVAILABLE
        ▲  └──────────────│──── ISSUE ───────▶   │  ▲  ▲
        └── RELEASE, LAPSE┘                ABORT │  │  └─ CANCEL ── BOOKED
                                                 ▼  └─ CONFIRM, CANCEL, LAPSE ── PENDING
                                         (where it came from)

A seat of a block that nobody has is `BLOCKED`. For a command of somebody who may take it, it is available.

`MOVE` leads to COMMITTING from AVAILABLE and HELD, for the seat that a ticket moves to, and from BOOKED, for
the one that it leaves.
"""

from enum import StrEnum


class SeatStatus(StrEnum):
    """State of one seat of one screening."""

    AVAILABLE = "available"
    BLOCKED = "blocked"
    HELD = "held"
    COMMITTING = "committing"
    PENDING = "pending"
    BOOKED = "booked"


class SeatAction(StrEnum):
    """An action on a seat."""

    BLOCK = "block"
    UNBLOCK = "unblock"
    HOLD = "hold"
    EXTEND = "extend"
    RELEASE = "release"
    LAPSE = "lapse"
    ISSUE = "issue"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    MOVE = "move"
    SETTLE = "settle"
    ABORT = "abort"


_S, _A = SeatStatus, SeatAction

TRANSITIONS: dict[tuple[SeatStatus, SeatAction], frozenset[SeatStatus]] = {
    (_S.AVAILABLE, _A.BLOCK): frozenset({_S.BLOCKED}),
    (_S.BLOCKED, _A.UNBLOCK): frozenset({_S.AVAILABLE}),
    (_S.AVAILABLE, _A.HOLD): frozenset({_S.HELD}),
    (_S.AVAILABLE, _A.ISSUE): frozenset({_S.COMMITTING}),
    (_S.HELD, _A.EXTEND): frozenset({_S.HELD}),
    (_S.HELD, _A.RELEASE): frozenset({_S.AVAILABLE, _S.BLOCKED}),
    (_S.HELD, _A.LAPSE): frozenset({_S.AVAILABLE, _S.BLOCKED}),
    (_S.HELD, _A.ISSUE): frozenset({_S.COMMITTING}),
    (_S.PENDING, _A.CONFIRM): frozenset({_S.COMMITTING}),
    (_S.PENDING, _A.CANCEL): frozenset({_S.COMMITTING}),
    (_S.PENDING, _A.LAPSE): frozenset({_S.COMMITTING}),
    (_S.BOOKED, _A.CANCEL): frozenset({_S.COMMITTING}),
    (_S.AVAILABLE, _A.MOVE): frozenset({_S.COMMITTING}),
    (_S.HELD, _A.MOVE): frozenset({_S.COMMITTING}),
    (_S.BOOKED, _A.MOVE): frozenset({_S.COMMITTING}),
    (_S.COMMITTING, _A.SETTLE): frozenset({_S.BOOKED, _S.PENDING, _S.AVAILABLE, _S.BLOCKED}),
    (_S.COMMITTING, _A.ABORT): frozenset({_S.AVAILABLE, _S.BLOCKED, _S.HELD, _S.PENDING, _S.BOOKED}),
}
"""The states that an action may lead to. A pair that is not here is illegal."""


class IllegalTransition(Exception):
    """The engine attempted an illegal transition: a bug, never a client's fault."""

    def __init__(self, status: SeatStatus, action: SeatAction) -> None:
        super().__init__(f"{action.value} is illegal for a seat that is {status.value}")
        self.status = status
        self.action = action


def require(status: SeatStatus, action: SeatAction) -> None:
    """Check one cell of the table.

    Raises:
        IllegalTransition: the table has no such transition.
    """
    if (status, action) not in TRANSITIONS:
        raise IllegalTransition(status, action)
