"""The SQL that all resources of the catalogue share: pages, single records and changes.

A resource declares a `Table`: its columns, filters and orders, and the errors that its constraints stand for.
`Rows` does the rest in a fixed number of statements, for any number of rows. Names in the SQL come from
declarations; values are always bound.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.catalogue_errors import InUse, UnknownReference
from engine.errors import EngineError, NotFound
from persistence.columns import IDS
from persistence.connector import Connection, Connector, Parameters
from persistence.errors import StatementRefused
from persistence.keysets import Key, Keyset

Record = dict[str, Any]
"""A row by column names, with the driver's values."""

_FOREIGN_KEY_VIOLATION = "23503"


def own_columns(table: str, *names: str) -> dict[str, str]:
    """Return `Table.columns` for columns that a record calls by their own names."""
    return {name: f"{table}.{name}" for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Filters on rows that belong to a record; one such row must satisfy all of the filters in use.

    Attributes:
        rows: SELECT … FROM … WHERE …, with the condition that ties them to the record.
        filters: further conditions by name; each takes its value as `%(name)s`.
    """

    rows: str
    filters: Mapping[str, str]

    def condition(self, wanted: Mapping[str, Any]) -> str:
        """Return the condition that such a row exists; empty if none of the filters is in use."""
        conditions = [self.filters[name] for name in wanted if name in self.filters]
        # OFFSET 0 keeps the subquery from being turned into a join. As a join the planner would start with it
        # and visit the rows of all records, which is ten times slower in combination with a text search.
        return f"EXISTS ({self.rows} AND {' AND '.join(conditions)} OFFSET 0)" if conditions else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The declaration of a resource's table.

    Attributes:
        name: of the table; also what errors call a record, unless `kind` is given.
        kind: what errors call a record, e.g. "cinema".
        columns: SQL expressions by the names they have in a record.
        joins: further tables that `columns`, `filters` and `orders` use; the table itself has no alias.
        filters: conditions by name; each takes its value as `%(name)s`.
        related: further filters, on rows that belong to a record.
        orders: SQL orders by name, each made stable by adding the id; "" is the default order.
        conditions: conditions that every visible row satisfies.
        references: fields by the names of the foreign keys that they must not violate.
        conflicts: errors by the names of other constraints that a write may violate.
    """

    name: str
    kind: str
    columns: Mapping[str, str]
    joins: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    related: Related | None = None
    orders: Mapping[str, str] = field(default_factory=dict)
    conditions: Sequence[str] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    conflicts: Mapping[str, Callable[[], EngineError]] = field(default_factory=dict)

    @property
    def select(self) -> str:
        """Return SELECT … FROM …, without conditions."""
        return self.select_with()

    def select_with(self, *further: str) -> str:
        """Return the same with further expressions after the columns."""
        columns = (f"{expression} AS {name}" for name, expression in self.columns.items())
        return f"SELECT {', '.join((*columns, *further))} FROM {self.name} {self.joins}"  # noqa: S608

    def where(self, wanted: Mapping[str, Any]) -> str:
        """Return the WHERE clause for these filters; empty if there are no conditions."""
        conditions = [*self.conditions, *(self.filters[name] for name in wanted if name in self.filters)]
        if self.related and (condition := self.related.condition(wanted)):
            conditions.append(condition)
        return "WHERE " + " AND ".join(f"({condition})" for condition in conditions) if conditions else ""

    def order_by(self, order: str) -> str:
        """Return ORDER BY … for one of `orders`, or by id if there is no such order and no default."""
        return f"ORDER BY {self._order(order)}"

    def keyset(self, order: str) -> Keyset:
        """Return the positions in one of `orders`."""
        return Keyset(self._order(order), self.columns)

    def _order(self, order: str) -> str:
        named = self.orders[order] if order or order in self.orders else ""
        by_id = f"{self.name}.id"
        # An order that names the id says in which direction.
        return named if by_id in named else ", ".join(filter(None, (named, by_id)))


class Listed(NamedTuple):
    """A part of a list.

    Attributes:
        total: number of entries in the whole list; None if it was not counted.
        last: position of the last record; None if no records follow.
    """

    records: list[Record]
    total: int | None
    last: Key | None


class Rows:
    """Reads and writes the rows of a table."""

    def __init__(self, connector: Connector, table: Table) -> None:
        self.connector = connector
        self.table = table

    async def page(
        self, wanted: Mapping[str, Any], order: str = "", *, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """Return a page of the matching records and the total number of matches; see `listed`."""
        listed = await self.listed(wanted, order, limit=limit, offset=offset)
        return listed.records, listed.total or 0

    async def listed(
        self,
        wanted: Mapping[str, Any],
        order: str = "",
        *,
        limit: int,
        offset: int = 0,
        after: Key | None = None,
        counted: bool = True,
    ) -> Listed:
        """Return a page of the matching records, by number or by position. Two statements, or one.

        Args:
            wanted: filter values by name.
            order: one of the table's orders.
            limit: page length.
            offset: rows to skip.
            after: `last` of the previous page in the same order.
            counted: True to count all matches.
        """
        table, where, keyset = self.table, self.table.where(wanted), self.table.keyset(order)
        bound = {**wanted, "limit_": limit + 1, "offset_": offset}
        total = None
        async with self.connector.connection() as connection:
            if counted:
                ((total,),) = await connection.run(
                    f"SELECT count(*) FROM {table.name} {table.joins} {where}",  # noqa: S608 - declared names
                    bound,
                )
            if after is not None:
                later, key = keyset.after(after)
                where, bound = f"{where} {'AND' if where else 'WHERE'} ({later})", {**bound, **key}
            rows = await connection.run(
                f"{table.select_with(keyset.selected)} {where} {table.order_by(order)}"
                " LIMIT %(limit_)s OFFSET %(offset_)s",
                bound,
            )
        width = len(table.columns)
        last = rows[limit - 1][width:] if len(rows) > limit else None
        return Listed([self.record(row[:width]) for row in rows[:limit]], total, last)

    async def find(self, record_id: int, **wanted: Any) -> Record:
        """Return the record with this id that also matches the filters.

        Raises:
            NotFound: there is no such record.
        """
        if record_id not in IDS:
            raise NotFound(self.table.kind, record_id)
        where = self.table.where(wanted)
        condition = f"{where} {'AND' if where else 'WHERE'} {self.table.name}.id = %(id_)s"
        rows = await self.connector.run(f"{self.table.select} {condition}", {**wanted, "id_": record_id})
        if not rows:
            raise NotFound(self.table.kind, record_id)
        return self.record(rows[0])

    async def insert(self, values: Mapping[str, Any], connection: Connection | None = None) -> Record:
        """Create a record.

        Args:
            values: by the columns of the table itself.
            connection: a connection with an open transaction to join; by default it commits by itself.

        Raises:
            UnknownReference: a value refers to a record that does not exist.
            EngineError: one of the table's `conflicts`.
        """
        names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
        statement = f"INSERT INTO {self.table.name} ({names}) VALUES ({places}) RETURNING *"  # noqa: S608
        (record,) = await self.written(statement, values, connection)
        return record

    async def update(
        self, record_id: int, values: Mapping[str, Any], connection: Connection | None = None
    ) -> Record:
        """Update some columns of a record; see `insert` for the arguments.

        Raises:
            NotFound: the record does not exist.
            UnknownReference: a value refers to a record that does not exist.
            EngineError: one of the table's `conflicts`.
        """
        if not values:
            return await self.find(record_id)
        changes = ", ".join(f"{name} = %({name})s" for name in values)
        # `updated_at` only changes if a value does, so a repeated request gets the same answer. CASE
        # gives the parameter the column's type.
        differs = " OR ".join(
            f"{name} IS DISTINCT FROM CASE WHEN true THEN %({name})s ELSE {name} END" for name in values
        )
        updated_at = f"CASE WHEN {differs} THEN now() ELSE updated_at END"
        statement = (
            f"UPDATE {self.table.name} SET {changes}, updated_at = {updated_at} "  # noqa: S608 - declared names
            f"{self._where_id()} RETURNING *"
        )
        records = await self.written(statement, {**values, "id_": record_id}, connection)
        if not records:
            raise NotFound(self.table.kind, record_id)
        return records[0]

    async def delete(self, record_id: int) -> None:
        """Delete a record.

        Raises:
            NotFound: the record does not exist.
            InUse: other records refer to it.
        """
        statement = f"DELETE FROM {self.table.name} {self._where_id()} RETURNING id"  # noqa: S608
        try:
            deleted = await self.connector.run(statement, {"id_": record_id})
        except StatementRefused as refusal:
            if refusal.sqlstate == _FOREIGN_KEY_VIOLATION:
                raise InUse(self.table.kind, record_id) from refusal
            raise
        if not deleted:
            raise NotFound(self.table.kind, record_id)

    async def written(
        self, statement: str, parameters: Parameters, connection: Connection | None = None
    ) -> list[Record]:
        """Run a writing statement that ends in RETURNING *, and return the rows as records.

        Raises:
            UnknownReference, EngineError: a constraint was violated.
        """
        # The CTE with the written rows takes the table's name, so that the usual SELECT can read from it.
        shown = f"WITH {self.table.name} AS ({statement}) {self.table.select}"
        with self.translated_errors():
            return [self.record(row) for row in await (connection or self.connector).run(shown, parameters)]

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate a constraint violation into the error that the table declares for it.

        Raises:
            UnknownReference, EngineError: as the table's `references` and `conflicts` say.
        """
        try:
            yield
        except StatementRefused as refusal:
            constraint = refusal.constraint or ""
            if constraint in self.table.references:
                raise UnknownReference(self.table.references[constraint]) from refusal
            if constraint in self.table.conflicts:
                raise self.table.conflicts[constraint]() from refusal
            raise

    def record(self, row: Sequence[Any]) -> Record:
        """Return a row as a dictionary by column names."""
        return dict(zip(self.table.columns, row, strict=True))

    def _where_id(self) -> str:
        return " ".join(
            ["WHERE id = %(id_)s", *(f"AND ({condition})" for condition in self.table.conditions)]
        )
