"""The orphan rule by trying: what a choice strands in a drawn run, and whether another choice would not.

A run is a text of `.` for a free place and `#` for a taken one. Places count from 0.
"""

from collections.abc import Collection, Iterable
from itertools import combinations

from engine.events import SeatsHeld
from engine.memory import RecordingPublisher
from engine.ports import LoadedScreening
from engine.views import SeatsChanged


def free_stretches(run: str) -> list[list[int]]:
    """The places of each stretch of free seats."""
    stretches: list[list[int]] = [[]]
    for place, mark in enumerate(run):
        if mark == ".":
            stretches[-1].append(place)
        else:
            stretches.append([])
    return list(filter(None, stretches))


def newly_alone(run: str, chosen: Collection[int]) -> set[int]:
    """The places that are alone after a choice and were not before, by looking at the whole run twice."""
    after = "".join("#" if place in chosen else mark for place, mark in enumerate(run))
    alone_before = {stretch[0] for stretch in free_stretches(run) if len(stretch) == 1}
    return {stretch[0] for stretch in free_stretches(after) if len(stretch) == 1} - alone_before


def avoidable_by_trying(run: str, chosen: Collection[int]) -> set[int]:
    """The places that are stranded although so many seats of their stretch could be taken without stranding
    any, found by trying every other choice.
    """
    found = set()
    for stretch in free_stretches(run):
        part = [place for place in chosen if place in stretch]
        stranded = newly_alone(run, part).intersection(stretch)
        if stranded and any(not newly_alone(run, other) for other in combinations(stretch, len(part))):
            found |= stranded
    return found


class SpacingPublisher(RecordingPublisher):
    """Judges each hold of screening 1: those that strand a seat although another choice would not are
    `violations`. What a publisher raises is only logged, so they are kept.

    Args:
        seats: number of seats of the one run, with ids from 1.
    """

    def __init__(self, seats: int) -> None:
        super().__init__()
        self._seats = range(1, seats + 1)
        self._taken: set[int] = set()
        self.violations: list[str] = []

    def begin(self, loaded: LoadedScreening) -> None:
        """Begin anew with the stored state."""
        blocked: Iterable[int] = (seat_id for block in loaded.blocks for seat_id in block.seat_ids)
        self._taken = {record.seat_id for record in (*loaded.holds, *loaded.tickets)}.union(blocked)

    def publish(self, change: SeatsChanged) -> None:
        super().publish(change)
        if change.screening_id != 1:
            return
        if isinstance(change, SeatsHeld):
            run = "".join("#" if seat in self._taken else "." for seat in self._seats)
            chosen = [seat - 1 for seat in change.seat_ids if seat not in self._taken]
            if avoidable_by_trying(run, chosen):
                self.violations.append(f"{run} with {chosen}")
        for view in change.views:
            (self._taken.discard if view.status == "available" else self._taken.add)(view.seat_id)
