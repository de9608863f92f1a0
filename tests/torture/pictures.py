"""Pictures of watchers: never back in time, the same for all at a position, and the truth at the end.

A watcher's picture is what its sightings say, one after the other. Positions are (epoch, seq), and `seq` has
gaps because changes are merged. That no change was left out shows in two ways: two watchers at the same
position have the same picture, whatever they were sent on the way, and at the end all have the picture that
is true. Now and then the owner sends a hash of what everybody should see: it must be that of the picture.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.picture_hash import CODES, hash_of
from tests.torture.findings import Finding
from tests.torture.history import Id, Sighting, Watcher

SHOWN = {"reserved_by_me": "reserved"}
"""Words for the same."""

Picture = dict[Id, tuple[str, Any]]
"""Status and user by seat. Free seats have no user."""


def check_pictures(watchers: list[Watcher], final: Mapping[str, Any]) -> list[Finding]:
    """Judge what all watchers saw.

    Args:
        watchers: the watchers; those that have left are not compared with the end.
        final: `screenings` as they were found after everything had come to rest.
    """
    findings = []
    marks: dict[tuple[str, tuple[int, int]], tuple[Watcher, int, int]] = {}
    for watcher in watchers:
        pictures, hashes = defaultdict(dict), defaultdict(int)
        positions: dict[Id, tuple[int, int]] = {}
        for number, sighting in enumerate(watcher.sightings):
            screening = str(sighting.screening)
            before = positions.get(screening)
            if before is not None and sighting.position < before:
                findings.append(_went_back(watcher, number, before))
                break
            positions[screening] = sighting.position
            if wrong := _differs_from_its_hash(watcher, number, pictures[screening]):
                findings.append(wrong)
                break
            hashes[screening] = _paint(pictures[screening], hashes[screening], sighting)
            mark = screening, sighting.position
            other, other_number, seen = marks.setdefault(mark, (watcher, number, hashes[screening]))
            if seen != hashes[screening]:
                findings.append(_differ(other, other_number, watcher, number))
                break
        else:
            if not watcher.left:
                findings += _wrong_at_the_end(watcher, pictures, positions, final)
    return findings


def _paint(picture: Picture, seen: int, sighting: Sighting) -> int:
    """Apply a sighting. Returns the hash of the picture, which does not depend on the order of its seats."""
    if sighting.whole:
        picture.clear()
        seen = 0
    for change in sighting.seats:
        seat, shown = change["seat"], _shown(change)
        if seat in picture:
            seen ^= hash((seat, picture[seat]))
        picture[seat] = shown
        seen ^= hash((seat, shown))
    return seen


def _shown(change: Mapping[str, Any]) -> tuple[str, Any]:
    status = SHOWN.get(change["status"], change["status"])
    return status, None if status == "available" else change.get("user")


def _picture(watcher: Watcher, number: int) -> Picture:
    """The picture that a watcher had after a sighting."""
    picture: Picture = {}
    screening = watcher.sightings[number].screening
    for sighting in watcher.sightings[: number + 1]:
        if sighting.screening == screening:
            _paint(picture, 0, sighting)
    return picture


def _went_back(watcher: Watcher, number: int, before: tuple[int, int]) -> Finding:
    sighting = watcher.sightings[number]
    return Finding(
        "picture goes back",
        f"screening {sighting.screening}, watcher {watcher.name}",
        f"After {_at(before)} came {_at(sighting.position)}.",
        [_line(watcher, one) for one in watcher.sightings[max(0, number - 2) : number + 1]],
    )


def _differ(one: Watcher, one_number: int, other: Watcher, other_number: int) -> Finding:
    first, second = _picture(one, one_number), _picture(other, other_number)
    sighting = other.sightings[other_number]
    if one is other:
        return Finding(
            "position used twice",
            f"screening {sighting.screening}, watcher {one.name}",
            f"{_at(sighting.position).capitalize()} came again with another picture: "
            + _differences("the first", first, "the second", second),
            [_line(one, seen) for seen in one.sightings[one_number : other_number + 1]],
        )
    return Finding(
        "pictures differ",
        f"screening {sighting.screening}, watchers {one.name} and {other.name}",
        f"At {_at(sighting.position)} the two were shown different seats, so one has missed a change: "
        + _differences(one.name, first, other.name, second),
        [
            *(_line(one, seen) for seen in _about(one, one_number, first, second)),
            *(_line(other, seen) for seen in _about(other, other_number, first, second)),
        ],
    )


def _differs_from_its_hash(watcher: Watcher, number: int, picture: Picture) -> Finding | None:
    """Compare the hash of a sighting, if it is one, with the picture."""
    sighting = watcher.sightings[number]
    if sighting.hash is None:
        return None
    shown = hash_of({int(seat): status for seat, (status, _) in picture.items()})
    taken = sum(status in CODES for status, _ in picture.values())
    if (shown, taken) == (sighting.hash, sighting.taken):
        return None
    return Finding(
        "hash differs",
        f"screening {sighting.screening}, watcher {watcher.name}",
        f"At {_at(sighting.position)} the owner has {sighting.taken} seats taken, with the hash "
        f"{sighting.hash}; the watcher was shown {taken}, with the hash {shown}.",
        [_line(watcher, one) for one in watcher.sightings[max(0, number - 2) : number + 1]],
    )


def _wrong_at_the_end(
    watcher: Watcher, pictures: Mapping[Id, Picture], positions: Mapping[Id, Any], final: Mapping[str, Any]
) -> Iterator[Finding]:
    for screening, found in final.get("screenings", {}).items():
        picture = pictures.get(str(screening))
        if picture is None or "seats" not in found:
            continue
        truth = {seen["seat"]: _shown(seen) for seen in found["seats"]}
        shown = {
            seat: _as_far_as_known(picture.get(seat, ("missing", None)), truth[seat][1]) for seat in truth
        }
        if shown != truth:
            last = max(n for n, one in enumerate(watcher.sightings) if str(one.screening) == str(screening))
            yield Finding(
                "picture is wrong at the end",
                f"screening {screening}, watcher {watcher.name}",
                f"At {_at(positions[str(screening)])} the watcher is shown what is not true: "
                + _differences("the watcher", shown, "the truth", truth),
                [_line(watcher, one) for one in _about(watcher, last, shown, truth)],
            )


def _as_far_as_known(shown: tuple[str, Any], user: Any) -> tuple[str, Any]:
    """Return the seat as it is shown, without the user if the truth does not say who it is."""
    return shown if user is not None else (shown[0], None)


def _differences(one: str, first: Picture, other: str, second: Picture) -> str:
    seats = [seat for seat in {**first, **second} if first.get(seat) != second.get(seat)]
    shown = [
        f"seat {seat} is {_words(first.get(seat))} for {one} and {_words(second.get(seat))} for {other}"
        for seat in seats[:3]
    ]
    more = f", and {len(seats) - 3} more" if len(seats) > 3 else ""
    return "; ".join(shown) + more + "."


def _words(shown: tuple[str, Any] | None) -> str:
    if shown is None:
        return "missing"
    return shown[0] if shown[1] is None else f"{shown[0]} by {shown[1]}"


def _about(watcher: Watcher, number: int, first: Picture, second: Picture) -> list[Sighting]:
    """The last sightings of the first seat that differs, and the latest one."""
    seat = next(seat for seat in {**first, **second} if first.get(seat) != second.get(seat))
    before = watcher.sightings[: number + 1]
    about = [one for one in before if any(change["seat"] == seat for change in one.seats)][-2:]
    return about if about and about[-1] is before[-1] else [*about, before[-1]]


def _at(position: tuple[int, int]) -> str:
    return f"epoch {position[0]}, seq {position[1]}"


def _line(watcher: Watcher, sighting: Sighting) -> str:
    if sighting.hash is not None:
        return f"{sighting.time:.3f} {watcher.name}: hash {sighting.hash} of {_at(sighting.position)}"
    seats = ", ".join(f"{change['seat']} {_words(_shown(change))}" for change in sighting.seats[:8])
    more = ", ..." if len(sighting.seats) > 8 else ""
    kind = "picture" if sighting.whole else "update"
    return f"{sighting.time:.3f} {watcher.name}: {kind} to {_at(sighting.position)}: {seats}{more}"
