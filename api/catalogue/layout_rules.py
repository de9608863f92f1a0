"""The rules for the layout of a room: what is refused, with messages that name the row and the seat.

Pure functions, called in a worker thread: a hall has up to ten thousand seats.

Distances are in seat widths across and in rows lengthways. Two seats may not overlap, and every seat must be
reachable: one walks along a row, in front of its seats, from an end of the row or from a gap in it, as long
as the seats of other rows leave room. `web/src/editor/rules.ts` has the same rules.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product
from math import hypot
from typing import Any, NamedTuple

from api.catalogue.seats import FURTHEST, HIGHEST_NUMBER, ROW_LABEL_LENGTH, row_position
from engine.rows import GAP

FAULTS_SHOWN = 50
"""Most faults of a layout to name."""

OVERLAP = 0.5
"""Distance below which, in both directions, two seats overlap."""

PASSAGE = 0.75
"""Distance between seats of two rows below which nobody can walk between them."""

_NAMES = frozenset(("id", "row_label", "seat_number", "seat_type", "x", "y"))


class PlannedSeat(NamedTuple):
    """A seat of a layout that is to be published. The coordinates are rounded to hundredths."""

    row_label: str
    seat_number: int
    seat_type: str
    x: float
    y: float

    @property
    def name(self) -> str:
        """Return the name of the seat in messages."""
        return f"Row {self.row_label}, seat {self.seat_number}"


class InvalidLayout(Exception):
    """A layout breaks rules.

    Args:
        faults: sentences for people.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        faults = list(dict.fromkeys(faults))
        super().__init__(faults[0])
        self.faults = faults[:FAULTS_SHOWN]
        if len(faults) > FAULTS_SHOWN:
            self.faults.append(f"Faults that are not shown: {len(faults) - FAULTS_SHOWN}.")


def checked_seats(
    entries: Sequence[Any], seat_types: Collection[str], aisles: Sequence[Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Return the seats of a layout by column names. Blocking; run it in a worker.

    Args:
        entries: the seats as they were received.
        seat_types: names of the types that seats can have.
        aisles: rectangles by `x`, `y`, `width` and `height`.

    Raises:
        InvalidLayout: seats are malformed, named twice, overlap, stand in an aisle or cannot be reached.
    """
    faults: list[str] = []
    seats: dict[tuple[str, int], PlannedSeat] = {}
    for position, entry in enumerate(entries, 1):
        seat = _seat_of(entry, position, seat_types, faults)
        if seat is None:
            continue
        if (seat.row_label, seat.seat_number) in seats:
            faults.append(f"{seat.name} is there twice; give one of them another number.")
        seats[seat.row_label, seat.seat_number] = seat
    if not faults:
        planned = list(seats.values())
        faults = [*_overlapping(planned), *_in_aisles(planned, aisles)] or list(_unreachable(planned))
    if faults:
        raise InvalidLayout(faults)
    return [seat._asdict() for seat in seats.values()]


def _seat_of(
    entry: object, position: int, seat_types: Collection[str], faults: list[str]
) -> PlannedSeat | None:
    """Return an entry as a seat; None, and its faults, if it is not one."""
    name = f"Seat {position} of the list"
    if not isinstance(entry, dict):
        faults.append(f"{name} must be an object with row_label and seat_number.")
        return None
    before = len(faults)
    row, number = entry.get("row_label"), entry.get("seat_number")
    if not isinstance(row, str) or not _is_label(row):
        faults.append(
            f"{name}: row_label must be 1 to {ROW_LABEL_LENGTH} characters without spaces around them."
        )
    elif type(number) is not int or not 1 <= number <= HIGHEST_NUMBER:
        faults.append(f"{name} (row {row}): seat_number must be an integer from 1 to {HIGHEST_NUMBER}.")
    else:
        name = f"Row {row}, seat {number}"
    kind = entry.get("seat_type", "standard")
    if not isinstance(kind, str) or kind not in seat_types:
        shown = f'"{kind[:40]}"' if isinstance(kind, str) else "of this kind"
        faults.append(f"{name}: there is no seat type {shown}; there are {', '.join(sorted(seat_types))}.")
    for axis in ("x", "y"):
        if axis in entry and not _is_coordinate(entry[axis]):
            faults.append(f"{name}: {axis} must be a number from 0 to {FURTHEST}.")
    if unknown := entry.keys() - _NAMES:
        faults.append(f'{name}: unknown field "{sorted(map(str, unknown))[0][:40]}".')
    if len(faults) > before or not isinstance(row, str) or not isinstance(number, int):
        return None
    x, y = entry.get("x", number), entry.get("y", min(row_position(row), FURTHEST))
    return PlannedSeat(row, number, str(kind), round(float(x), 2), round(float(y), 2))


def _is_label(row: str) -> bool:
    return 1 <= len(row) <= ROW_LABEL_LENGTH and row.strip() == row and "\x00" not in row


def _is_coordinate(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= FURTHEST  # type: ignore[operator]


def _close_pairs(seats: Sequence[PlannedSeat]) -> list[tuple[PlannedSeat, PlannedSeat]]:
    """Return the pairs of seats that are nearer than one in both directions, with the front one first.

    The seats are sorted into cells with a side of one, and compared with those of their own and of the next
    cells only. No two may overlap, so a cell has at most four.
    """
    cells: defaultdict[tuple[int, int], list[PlannedSeat]] = defaultdict(list)
    for seat in seats:
        cells[int(seat.x), int(seat.y)].append(seat)
    pairs = []
    for (column, row), here in cells.items():
        following = ((column + 1, row), (column - 1, row + 1), (column, row + 1), (column + 1, row + 1))
        around = [seat for cell in following if cell in cells for seat in cells[cell]]
        for position, seat in enumerate(here):
            for other in (*here[position + 1 :], *around):
                if -1 < seat.x - other.x < 1 and -1 < seat.y - other.y < 1:
                    pairs.append((seat, other) if (seat.y, seat) < (other.y, other) else (other, seat))
    return pairs


def _overlapping(seats: Sequence[PlannedSeat]) -> Iterator[str]:
    """Name every seat that overlaps another one.

    Two seats in one cell with a side of `OVERLAP` overlap. So a seat is compared with one seat of each cell
    around it, however many stand in the same place.
    """
    cells: dict[tuple[int, int], PlannedSeat] = {}
    for seat in seats:
        column, row = int(seat.x / OVERLAP), int(seat.y / OVERLAP)
        for cell in product((column - 1, column, column + 1), (row - 1, row, row + 1)):
            other = cells.get(cell)
            if other and abs(seat.x - other.x) < OVERLAP and abs(seat.y - other.y) < OVERLAP:
                front, back = sorted((seat, other), key=lambda one: (one.y, one))
                yield f"{front.name} and {_lower(back.name)} overlap; move one of them."
        cells.setdefault((column, row), seat)


def _in_aisles(seats: Sequence[PlannedSeat], aisles: Sequence[Mapping[str, float]]) -> Iterator[str]:
    areas = [
        (aisle["x"], aisle["x"] + aisle["width"], aisle["y"], aisle["y"] + aisle["height"])
        for aisle in aisles
    ]
    for seat in seats:
        if any(left < seat.x < right and top < seat.y < bottom for left, right, top, bottom in areas):
            yield f"{seat.name} stands in an aisle; move the seat or the aisle."


def _unreachable(seats: Sequence[PlannedSeat]) -> Iterator[str]:
    blocked = {
        seat
        for front, seat in _close_pairs(seats)
        if front.row_label != seat.row_label
        and front.y < seat.y
        and hypot(front.x - seat.x, front.y - seat.y) < PASSAGE
    }
    if not blocked:
        return
    rows: defaultdict[str, list[PlannedSeat]] = defaultdict(list)
    for seat in seats:
        rows[seat.row_label].append(seat)
    for row in rows.values():
        for run in _runs(row):
            stops = [position for position, seat in enumerate(run) if seat in blocked]
            for seat in run[stops[0] : stops[-1] + 1] if stops else ():
                yield (
                    f"{seat.name} cannot be reached: leave {PASSAGE} rows of room in front of its row, "
                    f"or a gap of {GAP} seat widths beside it."
                )


def _runs(row: Sequence[PlannedSeat]) -> Iterator[list[PlannedSeat]]:
    """Cut a row at its gaps. It is followed along its longer side."""
    across: Callable[[PlannedSeat], float] = lambda seat: seat.x  # noqa: E731
    along: Callable[[PlannedSeat], float] = lambda seat: seat.y  # noqa: E731
    is_wide = _extent(row, across) >= _extent(row, along)
    ordered = sorted(row, key=across if is_wide else along)
    run = ordered[:1]
    for seat in ordered[1:]:
        if hypot(seat.x - run[-1].x, seat.y - run[-1].y) >= GAP:
            yield run
            run = []
        run.append(seat)
    yield run


def _extent(row: Sequence[PlannedSeat], axis: Callable[[PlannedSeat], float]) -> float:
    return max(map(axis, row)) - min(map(axis, row))


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
