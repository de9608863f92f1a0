"""The words between histories and models: calls on one object, and what a sequential model has to offer."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Call:
    """One request as one object sees it.

    Attributes:
        kind: what was asked for and what was answered, in the model's words.
        invoked_at: when it was sent.
        returned_at: when it was answered; infinity if never.
        observes: whether it never changes the state.
        claims_until: while this call is running, but not after this, the object may look taken by it.
        losable: whether a crash may undo it.
        twins: calls without a return that are alike have the same; it does not matter which takes effect.
        final: whether it looks at the object after everything has come to rest.
        user, until, payment_id, quantity, reservation: what it is about.
        parts: of a call on several seats, the call on each of them, by the seat's position among them.
        source: the request that it was made from.
    """

    kind: str
    invoked_at: float
    returned_at: float = inf
    observes: bool = False
    claims_until: float = -inf
    losable: bool = False
    twins: Hashable = None
    final: bool = False
    user: Any = None
    until: float | None = None
    payment_id: str | None = None
    quantity: int = 1
    reservation: Any = None
    parts: Sequence[tuple[int, "Call"]] = ()
    source: Any = None

    @property
    def claims(self) -> bool:
        """True if the call may ever make the object look taken."""
        return self.claims_until > -inf

    @property
    def unknown(self) -> bool:
        """True if the call has no answer, so that it may never take effect."""
        return self.returned_at == inf


class Model(Protocol[State]):
    """Answers of an object that serves one call after the other.

    Attributes:
        initial: the state before the first call.
        anything: a state of which nothing is known, so that every first answer is possible; None if there is
        none.
    """

    initial: State
    anything: State | None

    def apply(self, state: State, call: Call) -> State | None:
        """Return the state after a call; None if it cannot be answered like that in this state."""

    def excused(self, state: State, call: Call, running: Sequence[Call]) -> Iterable[State]:
        """Return the states after a call whose answer is explained by running calls that claim the object."""

    def misfits(self, state: State, call: Call) -> int:
        """Return how many seats contradict a call in a state: the search tries first what leaves few."""

    def drifts(self, state: State, now: float) -> Iterable[tuple[str, State]]:
        """Return what the state may have become by itself by now, each with the name of what happened."""
