"""The operations that nearly every resource of the catalogue has, declared in a line each.

    cinemas = Resource("/api/v1/cinemas", tag="Cinemas")
    collection = Collection(cinemas, "cinema", Cinema, lambda catalogue: catalogue.cinemas)
    collection.create("/", CinemaDetails)
    collection.list("/", CinemaList)
    collection.read("/{cinema_id}")

The last id of a path names the record itself; those before it name its parents, as in
`/cinemas/{cinema_id}/rooms/`. A parent must exist, narrows a list, and becomes a value of what is created.
Where an operation is `own`, so does the caller, as `user_id`. A `guard` refuses changes by others.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from marshmallow import Schema

from api.catalogue.ports import Catalogue, Record, Rows
from api.errors import ApiError
from api.rest.endpoint import Access, Answer, Call, Document, Resource
from api.rest.fields import RequestSchema, changes_to, without
from api.rest.paging import PAGING_HEADERS, Page, paged
from engine.catalogue_errors import AlreadyExists, InUse, NoAccount, UnknownReference
from engine.errors import EngineError, NotFound

RowsOf = Callable[[Catalogue], Rows]
"""Picks a resource's rows out of the catalogue."""


class Guard(NamedTuple):
    """Who may change a record, where that is not an administrator's business alone.

    Attributes:
        check: raises `refusal`, given the call and the record's id.
        refusal: what is raised if the caller may not.
    """

    check: Callable[[Call, int], Awaitable[None]]
    refusal: type[ApiError]


class Collection:
    """Declares the usual operations of a resource.

    Args:
        resource: what they are declared on.
        kind: what one record is called, e.g. "cinema".
        shape: how a record is shown.
        rows: where the records are.
        plural: what several are called, where it is not `kind` with an s.
        parents: where the parents are, by the names of their ids in paths.
    """

    def __init__(
        self,
        resource: Resource,
        kind: str,
        shape: type[Schema],
        rows: RowsOf,
        *,
        plural: str = "",
        parents: Mapping[str, RowsOf] | None = None,
    ) -> None:
        self._resource = resource
        self._kind = kind
        self._noun = kind.replace("_", " ")
        self._plural = plural or f"{kind}s"
        self._shape = shape()
        self._rows = rows
        self._parents = parents or {}

    def create(
        self,
        path: str,
        body: type[RequestSchema],
        *,
        access: Access = Access.ADMIN,
        own: bool = False,
        doc: str = "",
    ) -> None:
        """POST: make a record. Answers 201 with the record."""

        async def create(call: Call, **values: Any) -> Answer:
            parents = await self._existing_parents(call, values)
            owner = {"user_id": call.account_id} if own else {}
            record = await self._rows(call.services.catalogue).insert({**values, **parents, **owner})
            return Answer.of(self._shape.dump(record), 201)

        self._declare(
            "POST",
            path,
            create,
            f"create_{self._kind}",
            doc or f"Create a {self._noun}.",
            body=body,
            answers=self._shape,
            status=201,
            access=access,
            refusals=(
                UnknownReference,
                AlreadyExists,
                *self._if_parents(NotFound),
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
    ) -> None:
        """GET: a page of the records that fit the query."""

        async def list_records(call: Call, limit: int, offset: int, sort: str = "", **wanted: Any) -> Answer:
            parents = await self._existing_parents(call, wanted)
            owner = {"user_id": call.account_id} if own else {}
            records, total = await self._rows(call.services.catalogue).page(
                {**wanted, **parents, **owner}, sort, limit=limit, offset=offset
            )
            return paged(call, self._shape.dump(records, many=True), total, limit)

        self._declare(
            "GET",
            path,
            list_records,
            name or f"list_{self._plural}",
            doc or f"List {self._plural.replace('_', ' ')}.",
            query=without(query, self._parents),
            answers=type(self._shape)(many=True),
            access=access,
            headers=PAGING_HEADERS,
            refusals=self._if_parents(NotFound),
        )

    def read(self, path: str, *, access: Access = Access.PUBLIC, doc: str = "") -> None:
        """GET: one record."""

        async def read(call: Call, **ids: int) -> Document:
            record: Record = await self._rows(call.services.catalogue).find(_last(ids))
            return self._shown(record)

        self._declare(
            "GET",
            path,
            read,
            f"get_{self._kind}",
            doc or f"Get a {self._noun}.",
            answers=self._shape,
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
        """PATCH or PUT: change the fields that are given and leave the others."""
        id_name = path.rpartition("{")[2].rstrip("}/")

        async def update(call: Call, **values: Any) -> Document:
            record_id = values.pop(id_name)
            if guard:
                await guard.check(call, record_id)
            return self._shown(await self._rows(call.services.catalogue).update(record_id, values))

        self._declare(
            method,
            path,
            update,
            f"update_{self._kind}",
            doc or f"Change a {self._noun}; fields that are not given stay as they are.",
            body=changes_to(body),
            answers=self._shape,
            access=access,
            refusals=(NotFound, UnknownReference, AlreadyExists, *_of_guard(guard)),
        )

    def delete(
        self, path: str, *, access: Access = Access.ADMIN, guard: Guard | None = None, doc: str = ""
    ) -> None:
        """DELETE: remove a record that nothing refers to."""

        async def delete(call: Call, **ids: int) -> None:
            if guard:
                await guard.check(call, _last(ids))
            await self._rows(call.services.catalogue).delete(_last(ids))

        self._declare(
            "DELETE",
            path,
            delete,
            f"delete_{self._kind}",
            doc or f"Delete a {self._noun} that nothing refers to.",
            status=204,
            access=access,
            refusals=(NotFound, InUse, *_of_guard(guard)),
        )

    def _declare(self, method: str, path: str, handler: Any, name: str, doc: str, **declaration: Any) -> None:
        handler.__name__, handler.__doc__ = name, doc
        self._resource.declare(method, path, durable=method != "GET", **declaration)(handler)

    def _shown(self, record: Record) -> Document:
        shown: Document = self._shape.dump(record)
        return shown

    async def _existing_parents(self, call: Call, values: dict[str, Any]) -> dict[str, int]:
        """Take the parents' ids out of the arguments and see that they exist."""
        parents = {name: values.pop(name) for name in self._parents if name in values}
        for name, parent_id in parents.items():
            await self._parents[name](call.services.catalogue).find(parent_id)
        return parents

    def _if_parents(self, refusal: type[EngineError]) -> tuple[type[EngineError], ...]:
        return (refusal,) if self._parents else ()


def _of_guard(guard: Guard | None) -> tuple[type[ApiError], ...]:
    return (guard.refusal,) if guard else ()


def _last(ids: Mapping[str, int]) -> int:
    return list(ids.values())[-1]
