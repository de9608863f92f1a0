"""What all resources of the catalogue have in common in SQL: reading pages, getting, and changing rows.

A resource declares a `Table`: its columns, filters, orders, and what its constraints mean. `Rows` does the
rest in a fixed number of statements, whatever the number of rows. All names in the SQL come from
declarations, all values are bound.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.catalogue_errors import InUse, UnknownReference
from engine.errors import EngineError, NotFound
from persistence.columns import IDS
from persistence.connector import Connector, Parameters, Session, StatementRefused

Record = dict[str, Any]
"""A row by column names, as the driver gives its values."""

_FOREIGN_KEY_VIOLATION = "23503"


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Rows that belong to a record; those of its filters that are wanted must hold of one and the same row.

    Attributes:
        rows: SELECT … FROM … WHERE …, with the condition that ties them to the record.
        filters: further conditions by name, with their value as `%(name)s`.
    """

    rows: str
    filters: Mapping[str, str]

    def condition(self, wanted: Mapping[str, Any]) -> str:
        """The condition that there is such a row, or nothing if none of the filters is wanted."""
        conditions = [self.filters[name] for name in wanted if name in self.filters]
        # OFFSET 0 has it looked up for the records that fit otherwise. As a join, planners begin with it, and
        # look at what belongs to all records: ten times slower for a search by words among them.
        return f"EXISTS ({self.rows} AND {' AND '.join(conditions)} OFFSET 0)" if conditions else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The declaration of a resource's table.

    Attributes:
        name: of the table; also what a record is called in errors, unless `kind` says otherwise.
        kind: what a record is called, e.g. "cinema".
        columns: SQL expressions by the names under which a record shows them.
        joins: further tables that `columns`, `filters` and `orders` use; the table itself keeps its name.
        filters: conditions by name, with their value as `%(name)s`.
        related: further filters, on rows that belong to a record.
        orders: SQL orders by name; each is made stable by the id. The one without a name is the usual one.
        conditions: what always holds of rows that can be seen.
        references: fields by the foreign keys that they must not break.
        conflicts: errors by other constraints that a write may break.
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
        """SELECT … FROM …, without conditions."""
        columns = ", ".join(f"{expression} AS {name}" for name, expression in self.columns.items())
        return f"SELECT {columns} FROM {self.name} {self.joins}"  # noqa: S608 - declared names

    def where(self, wanted: Mapping[str, Any]) -> str:
        """The conditions for these filters, as a WHERE clause or nothing."""
        conditions = [*self.conditions, *(self.filters[name] for name in wanted if name in self.filters)]
        if self.related and (condition := self.related.condition(wanted)):
            conditions.append(condition)
        return "WHERE " + " AND ".join(f"({condition})" for condition in conditions) if conditions else ""

    def order_by(self, order: str) -> str:
        """ORDER BY … for one of `orders`, or by id if none is named and none is usual."""
        named = f"{self.orders[order]}, " if order or order in self.orders else ""
        return f"ORDER BY {named}{self.name}.id"


class Rows:
    """The rows of a table.

    Args:
        connector: the database.
        table: the declaration.
    """

    def __init__(self, connector: Connector, table: Table) -> None:
        self.connector = connector
        self.table = table

    async def page(
        self, wanted: Mapping[str, Any], order: str = "", *, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """A page of the records that fit, and how many fit in all. Two statements.

        Args:
            wanted: values by the names of filters.
            order: one of the table's orders.
            limit: length of the page.
            offset: how many to pass over.
        """
        table, where = self.table, self.table.where(wanted)
        bound = {**wanted, "limit_": limit, "offset_": offset}
        async with self.connector.session() as session:
            ((total,),) = await session.run(
                f"SELECT count(*) FROM {table.name} {table.joins} {where}",  # noqa: S608 - declared names
                bound,
            )
            rows = await session.run(
                f"{table.select} {where} {table.order_by(order)} LIMIT %(limit_)s OFFSET %(offset_)s", bound
            )
        return [self.record(row) for row in rows], int(total)

    async def find(self, record_id: int, **wanted: Any) -> Record:
        """A record by its id and further filters.

        Raises:
            NotFound: there is none.
        """
        if record_id not in IDS:
            raise NotFound(self.table.kind, record_id)
        where = self.table.where(wanted)
        condition = f"{where} {'AND' if where else 'WHERE'} {self.table.name}.id = %(id_)s"
        rows = await self.connector.run(f"{self.table.select} {condition}", {**wanted, "id_": record_id})
        if not rows:
            raise NotFound(self.table.kind, record_id)
        return self.record(rows[0])

    async def insert(self, values: Mapping[str, Any], session: Session | None = None) -> Record:
        """Make a record.

        Args:
            values: by the columns of the table itself.
            session: whose transaction it belongs to, if it is not one of its own.

        Raises:
            UnknownReference: a value refers to what does not exist.
            EngineError: as the table's `conflicts` say.
        """
        names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
        statement = f"INSERT INTO {self.table.name} ({names}) VALUES ({places}) RETURNING *"  # noqa: S608
        (record,) = await self.written(statement, values, session)
        return record

    async def update(
        self, record_id: int, values: Mapping[str, Any], session: Session | None = None
    ) -> Record:
        """Change some columns of a record; see `insert` for the arguments.

        Raises:
            NotFound: there is no such record.
            UnknownReference: a value refers to what does not exist.
            EngineError: as the table's `conflicts` say.
        """
        if not values:
            return await self.find(record_id)
        changes = ", ".join(f"{name} = %({name})s" for name in values)
        # A repeat changes nothing and gets the same answer. CASE gives the value the column's type.
        differs = " OR ".join(
            f"{name} IS DISTINCT FROM CASE WHEN true THEN %({name})s ELSE {name} END" for name in values
        )
        updated_at = f"CASE WHEN {differs} THEN now() ELSE updated_at END"
        statement = (
            f"UPDATE {self.table.name} SET {changes}, updated_at = {updated_at} "  # noqa: S608 - declared names
            f"{self._of_id()} RETURNING *"
        )
        records = await self.written(statement, {**values, "id_": record_id}, session)
        if not records:
            raise NotFound(self.table.kind, record_id)
        return records[0]

    async def delete(self, record_id: int) -> None:
        """Delete a record.

        Raises:
            NotFound: there is no such record.
            InUse: others refer to it.
        """
        statement = f"DELETE FROM {self.table.name} {self._of_id()} RETURNING id"  # noqa: S608
        try:
            deleted = await self.connector.run(statement, {"id_": record_id})
        except StatementRefused as refusal:
            if refusal.sqlstate == _FOREIGN_KEY_VIOLATION:
                raise InUse(self.table.kind, record_id) from refusal
            raise
        if not deleted:
            raise NotFound(self.table.kind, record_id)

    async def written(
        self, statement: str, parameters: Parameters, session: Session | None = None
    ) -> list[Record]:
        """Run a writing statement that ends in RETURNING *, and show the rows as records.

        Raises:
            UnknownReference, EngineError: what the broken constraint means.
        """
        # The rows that were written stand in for the table, so they are shown as they would be read.
        shown = f"WITH {self.table.name} AS ({statement}) {self.table.select}"
        with self.explained():
            return [self.record(row) for row in await (session or self.connector).run(shown, parameters)]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise what a broken constraint means in place of what the database says.

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
        """A row under the names of its columns."""
        return dict(zip(self.table.columns, row, strict=True))

    def _of_id(self) -> str:
        return " ".join(
            ["WHERE id = %(id_)s", *(f"AND ({condition})" for condition in self.table.conditions)]
        )
