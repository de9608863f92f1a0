"""Create, list, read, update and delete for catalogue resources, one line of declaration each.

    cinemas = Resource("/api/v1/cinemas", tag="Cinemas")
    collection = Collection(cinemas, "cinema", Cinema, lambda catalogue: catalogue.cinemas)
    collection.create("/", CinemaDetails)
    collection.list("/", CinemaList)
    collection.read("/{cinema_id}")

The last id in a path is the record's own; ids before it are its parents', as in
`/cinemas/{cinema_id}/rooms/`. A parent must exist; it filters lists and is stored in new records.
An `own` operation treats the caller the same way, as `user_id`. A `guard` decides who may change a record.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.errors import ApiError
from api.rest.endpoint import Access, Answer, Call, Document, dump, dump_all
from api.rest.fields import RequestSchema, changes_to, without
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from api.rest.records import RecordOperations
from api.rows import Record, RowsOf
from engine.catalogue_errors import AlreadyExists, InUse, NoAccount, UnknownReference
from engine.errors import EngineError, NotFound


class Guard(NamedTuple):
    """Authorization of changes that are not reserved to administrators.

    Attributes:
        check: takes the call and the record's id; raises `refusal` if the caller may not change it.
        refusal: the error type raised, for the documentation.
    """

    check: Callable[[Call, int], Awaitable[None]]
    refusal: type[ApiError]


@dataclass(frozen=True, slots=True)
class Collection(RecordOperations):
    """Declares the usual operations of a resource.

    Attributes:
        plural: plural of `kind`, if adding an "s" is not enough.
        parents: selects the parents' rows, by the names of their ids in paths.
    """

    plural: str = ""
    parents: Mapping[str, RowsOf] = field(default_factory=dict)

    def create(
        self,
        path: str,
        body: type[RequestSchema],
        *,
        access: Access = Access.ADMIN,
        own: bool = False,
        defaults: Callable[[Call], Mapping[str, Any]] | None = None,
        doc: str = "",
    ) -> None:
        """Declare a POST that inserts a record and answers 201 with it.

        `defaults` returns values for fields that the request may omit.
        """

        async def create(call: Call, **given: Any) -> Document:
            parents = await self._existing_parents(call, given)
            owner = {"user_id": call.account_id} if own else {}
            usual = defaults(call) if defaults else {}
            values = {**usual, **given, **parents, **owner}

            async def write() -> Document:
                return dump(self.shape, await self.rows(call).insert(values))

            return await call.kept(write)

        self.declare(
            "POST",
            path,
            create,
            f"create_{self.kind}",
            doc or f"Create a {self.noun}.",
            body=body,
            answers=self.shape,
            status=201,
            access=access,
            refusals=(
                UnknownReference,
                AlreadyExists,
                *self._if_nested(NotFound),
                *((NoAccount,) if own else ()),
            ),
        )

    def list(
        self,
        path: str,
        query: type[Page] = Page,
        *,
        access: Access = Access.PUBLIC,
        own: bool = False,
        name: str = "",
        doc: str = "",
        shown: Callable[[Call, Record], Record] | None = None,
    ) -> None:
        """Declare a GET that answers a page of the records matching the query.

        `shown` returns a record without what its reader must not see.
        """
        plural = self.plural or f"{self.kind}s"

        async def list_records(call: Call, window: Window, sort: str = "", **wanted: Any) -> Answer:
            parents = await self._existing_parents(call, wanted)
            owner = {"user_id": call.account_id} if own else {}
            found = await self.rows(call).listed(
                {**wanted, **parents, **owner},
                sort,
                limit=window.limit,
                offset=window.offset,
                after=window.after(call, sort),
                counted=window.cursor is None,
            )
            records = [shown(call, record) for record in found.records] if shown else found.records
            return paged(call, window, dump_all(self.shape, records), found.total, found.last, sort)

        self.declare(
            "GET",
            path,
            list_records,
            name or f"list_{plural}",
            doc or f"List {plural.replace('_', ' ')}.",
            query=without(query, self.parents),
            answers=self.shape(many=True),
            access=access,
            headers=PAGING_HEADERS,
            refusals=self._if_nested(NotFound),
        )

    def read(self, path: str, *, access: Access = Access.PUBLIC, doc: str = "") -> None:
        """Declare a GET of one record."""

        async def read(call: Call, **ids: int) -> Document:
            return dump(self.shape, await self.rows(call).find(_last(ids)))

        self.declare(
            "GET",
            path,
            read,
            f"get_{self.kind}",
            doc or f"Get a {self.noun}.",
            answers=self.shape,
            access=access,
            refusals=(NotFound,),
        )

    def update(
        self,
        method: str,
        path: str,
        body: type[RequestSchema],
        *,
        access: Access = Access.ADMIN,
        guard: Guard | None = None,
        doc: str = "",
    ) -> None:
        """Declare a PATCH or PUT. Both change the given fields and keep the others."""
        id_name = path.rpartition("{")[2].rstrip("}/")

        async def update(call: Call, **values: Any) -> Document:
            record_id = values.pop(id_name)
            if guard:
                await guard.check(call, record_id)

            async def write() -> Document:
                return dump(self.shape, await self.rows(call).update(record_id, values))

            return await call.kept(write)

        self.declare(
            method,
            path,
            update,
            f"update_{self.kind}",
            doc or f"Update a {self.noun}. Omitted fields keep their values.",
            body=changes_to(body),
            answers=self.shape,
            access=access,
            refusals=(NotFound, UnknownReference, AlreadyExists, *_guard_refusals(guard)),
        )

    def delete(
        self, path: str, *, access: Access = Access.ADMIN, guard: Guard | None = None, doc: str = ""
    ) -> None:
        """Declare a DELETE, refused with InUse while other records refer to the record."""

        async def delete(call: Call, **ids: int) -> None:
            if guard:
                await guard.check(call, _last(ids))
            await call.kept(lambda: self.rows(call).delete(_last(ids)))

        self.declare(
            "DELETE",
            path,
            delete,
            f"delete_{self.kind}",
            doc or f"Delete a {self.noun} that no other record refers to.",
            status=204,
            access=access,
            refusals=(NotFound, InUse, *_guard_refusals(guard)),
        )

    async def _existing_parents(self, call: Call, values: dict[str, Any]) -> dict[str, int]:
        """Pop the parents' ids from the arguments. Raises NotFound if a parent does not exist."""
        parents = {name: values.pop(name) for name in self.parents if name in values}
        for name, parent_id in parents.items():
            await self.parents[name](call.services.catalogue).find(parent_id)
        return parents

    def _if_nested(self, refusal: type[EngineError]) -> tuple[type[EngineError], ...]:
        return (refusal,) if self.parents else ()


def _guard_refusals(guard: Guard | None) -> tuple[type[ApiError], ...]:
    return (guard.refusal,) if guard else ()


def _last(ids: Mapping[str, int]) -> int:
    return list(ids.values())[-1]
