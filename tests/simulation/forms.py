"""Reads the parameters of the journal's prepared statements: the columns are found in their SQL."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from persistence import statements
from persistence.errors import DefectiveStatement

_BLOCKS = (
    statements.OWNED,
    statements.PAYMENTS,
    statements.TICKETS,
    statements.GIVEN_BACK,
    statements.MOVES,
    statements.SALES,
    statements.HOLDS,
    statements.HELD,
    statements.BLOCKS,
    statements.WAITLIST,
    statements.STATE_HASHES,
    statements.ANSWERS,
    statements.RECEIPTS,
    statements.EVENTS,
)
_EXECUTED = re.compile(r"EXECUTE (\w+) \(([^)]*)\);")
_PREPARED = re.compile(r"PREPARE (\w+) \(([^)]*)\) AS")
_ROW = re.compile(r"AS row \(([^)]*)\)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",]+)')

TRANSACTION = "BEGIN;EXECUTE"
"""Beginning of a transaction of the journal."""


class _Form:
    """The columns of a prepared statement: those of its rows, and arrays of any length."""

    def __init__(self, preparation: str) -> None:
        _, signature = _PREPARED.search(preparation).groups()  # type: ignore[union-attr]
        self.kinds = [kind.removesuffix("[]") for kind in signature.split(", ")]
        self.names = _ROW.search(preparation)[1].split(", ")  # type: ignore[index]

    def read(self, literals: Sequence[str]) -> tuple[list[dict[str, Any]], list[list[Any]]]:
        """Return the rows, and the arrays beside them."""
        columns = [array(literal, kind) for literal, kind in zip(literals, self.kinds, strict=True)]
        number = len(self.names)
        rows = [dict(zip(self.names, row, strict=True)) for row in zip_longest(*columns[:number])]
        return rows, columns[number:]


def array(literal: str, kind: str) -> list[Any]:
    """Read an array literal of a type of `persistence.columns`."""
    inside = literal[1:-1]
    if not inside:
        return []
    if kind in ("text", "bytea"):
        found = [
            None if bare == "NULL" else re.sub(r"\\(.)", r"\1", quoted) if bare == "" else bare
            for quoted, bare in _TEXT.findall(inside)
        ]
        return [value and bytes.fromhex(value[2:]) for value in found] if kind == "bytea" else found
    if kind == "boolean":
        return [value == "t" for value in inside.split(",")]
    convert: Callable[[str], Any] = float if kind == "float8" else int
    return [None if value in ("null", "NULL") else convert(value) for value in inside.split(",")]


_FORMS = {_PREPARED.search(block.preparation)[1]: _Form(block.preparation) for block in _BLOCKS}  # type: ignore[index]


def executed(
    sql: str, parameters: Sequence[str], only: tuple[str, ...] = ()
) -> Iterator[tuple[str, bool, list[dict[str, Any]], list[list[Any]]]]:
    """Yield the statements of a transaction: name, whether rows may have been written before, and its rows.

    Args:
        sql: of the transaction.
        parameters: of all its statements.
        only: names of statements; all others are left out.

    Raises:
        DefectiveStatement: a statement is not simulated.
    """
    start = 0
    for written, places in _EXECUTED.findall(sql):
        end = start + places.count("%s")
        name = written.removesuffix("_again")
        if not only or name in only:
            if name not in _FORMS:
                raise DefectiveStatement(f"{name} is not simulated")
            rows, beside = _FORMS[name].read(parameters[start:end])
            yield name, written.endswith("_again"), rows, beside
        start = end
