"""The orphan rule by trying: what a choice strands in a drawn run, and whether another choice would not.

A run is a text of `.` for a free place and `#` for a taken one. Places count from 0.
"""

from collections.abc import Collection
from itertools import combinations


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
