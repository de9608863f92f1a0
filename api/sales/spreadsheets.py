"""CSV (RFC 4180) for spreadsheets.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and buyers choose their names.
Such cells get an apostrophe in front. A file begins with a byte order mark: without it Excel does not read
UTF-8.
"""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Any

MEDIA_TYPE = "text/csv; charset=utf-8"
BYTE_ORDER_MARK = "\ufeff"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters with which formulas begin, also in full width."""


def csv_of(lines: Iterable[Iterable[Any]]) -> str:
    """Return lines of cells as CSV."""
    file = StringIO()
    csv.writer(file).writerows(lines)
    return file.getvalue()


def cell(value: Any) -> Any:
    """Return the content of the cell for a value."""
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
