"""The seats of a layout as CSV: a line each, with the columns `row,number,type,x,y`.

`type`, `x` and `y` may be left out or empty; the columns may come in any order, and be separated by commas,
semicolons or tabs, as spreadsheets write them.
"""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from api.catalogue.layout_rules import InvalidLayout

COLUMNS = {"row": "row_label", "number": "seat_number", "type": "seat_type", "x": "x", "y": "y"}
"""Fields of a seat by the names of their columns."""


def written(seats: Iterable[Mapping[str, Any]]) -> bytes:
    """Return seats as CSV (RFC 4180), in UTF-8."""
    file = StringIO()
    lines = csv.writer(file)
    lines.writerow(COLUMNS)
    lines.writerows([seat[field] for field in COLUMNS.values()] for seat in seats)
    return file.getvalue().encode()


def parsed(content: bytes, limit: int) -> list[dict[str, Any]]:
    """Return the seats of a file, as they would be in JSON; they are not checked yet.

    Args:
        content: the file.
        limit: most seats.

    Raises:
        InvalidLayout: it is not a CSV file with the columns, or has too many lines.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidLayout(["The file must be CSV in UTF-8."]) from error
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    lines = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        fields = _fields_of(next(lines, []))
        seats: list[dict[str, Any]] = []
        for values in lines:
            if not any(value.strip() for value in values):
                continue
            if len(seats) == limit:
                raise InvalidLayout([f"A room has at most {limit} seats."])
            if len(values) > len(fields):
                raise InvalidLayout([f"Line {lines.line_num} has more values than there are columns."])
            seats.append(_seat_of(dict(zip(fields, map(str.strip, values), strict=False)), lines.line_num))
    except csv.Error as error:
        raise InvalidLayout([f"Line {lines.line_num} is not CSV: {error}."]) from error
    return seats


def _fields_of(names: list[str]) -> list[str]:
    names = [name.strip().lower() for name in names]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or len(set(names)) != len(names) or not {"row", "number"} <= set(names):
        raise InvalidLayout(["The first line must name the columns: row,number,type,x,y."])
    return [COLUMNS[name] for name in names]


def _seat_of(values: Mapping[str, str], line: int) -> dict[str, Any]:
    seat: dict[str, Any] = {field: value for field, value in values.items() if value}
    for field in ("seat_number", "x", "y"):
        if field in seat:
            seat[field] = _number(seat[field], field, line)
    return seat


def _number(value: str, field: str, line: int) -> float:
    try:
        return int(value) if field == "seat_number" else float(value)
    except ValueError:
        column = next(name for name, its_field in COLUMNS.items() if its_field == field)
        raise InvalidLayout([f'Line {line}: {column} must be a number, not "{value[:40]}".']) from None
