"""Administration of events and ticket types, one line of declaration per operation.

    administration = Administration(admin_events, "event", AdminEvent, lambda catalogue: catalogue.events, …)
    administration.list("", ListQuery)
    administration.create("", EventDetails)

The counterpart of `api.catalogue.collection` for records that the engine sells from: a change suspends the
sales of its event, and clears the cache of offers.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from marshmallow import Schema

from api.public.shapes import CamelCaseSchema, ListQuery, Pagination, identifier
from api.rest.endpoint import Access, Call, Resource
from api.rest.fields import RequestSchema, changes_to
from api.rest.styles import Content
from api.rows import Record, RowsOf
from engine.catalogue_errors import AlreadyExists, CapacityTooLow, InUse
from engine.errors import EngineError, NotFound

Written = TypeVar("Written")


class Deleted(CamelCaseSchema):
    id = identifier("17")


class Administration:
    """Declares the operations of a resource.

    Args:
        resource: the resource to add the operations to.
        kind: singular name of a record, e.g. "ticket_type"; used in operation names and texts.
        shape: response schema of a record.
        rows: selects the stored records from the catalogue.
        event_of: returns the id of the event that a record belongs to; None if the record is an event.
        prepare: returns the values to store. Takes the call, the values of the request, and the record to
            update (None for a new one). May raise InvalidInput.
    """

    def __init__(
        self,
        resource: Resource,
        kind: str,
        shape: type[Schema],
        rows: RowsOf,
        *,
        event_of: Callable[[Mapping[str, Any]], int | None],
        prepare: Callable[[Call, Mapping[str, Any], Record | None], Mapping[str, Any]],
    ) -> None:
        self._resource = resource
        self._kind = kind
        self._noun = kind.replace("_", " ")
        self._shape = shape()
        self._rows = rows
        self._event_of = event_of
        self._prepare = prepare

    def list(self, path: str, query: type[ListQuery]) -> None:
        """Declare a GET that answers a page of the records matching the query."""

        async def list_records(call: Call, window: Pagination, **wanted: Any) -> Content:
            records, total = await self._rows(call.services.catalogue).page(
                wanted, limit=window.limit, offset=window.offset
            )
            return window.content(self._shape.dump(records, many=True), total)

        self._declare(
            *("GET", path, list_records, f"list_all_{self._kind}s", f"List all {self._noun}s."),
            query=query,
            answers=type(self._shape)(many=True),
            listed=True,
        )

    def create(self, path: str, body: type[RequestSchema], *, doc: str) -> None:
        """Declare a POST that inserts a record."""

        async def create(call: Call, **given: Any) -> Content:
            values = self._prepare(call, given, None)
            rows, event_id = self._rows(call.services.catalogue), self._event_of(values)
            if event_id is None:
                made = await rows.insert(values)
            else:
                made = await _change(call, event_id, lambda: rows.insert(values))
            return Content(self._shape.dump(made), f"{self._noun.capitalize()} created successfully")

        self._declare(
            *("POST", path, create, f"create_{self._kind}", doc),
            body=body,
            answers=self._shape,
            status=201,
            durable=True,
            refusals=(NotFound, AlreadyExists),
        )

    def read(self, path: str) -> None:
        """Declare a GET of one record."""

        async def read(call: Call, **ids: int) -> Any:
            (record_id,) = ids.values()
            return self._shape.dump(await self._rows(call.services.catalogue).find(record_id))

        self._declare(
            *("GET", path, read, f"get_any_{self._kind}", f"Get any {self._noun}."),
            answers=self._shape,
            refusals=(NotFound,),
        )

    def update(self, path: str, body: type[RequestSchema], *, doc: str) -> None:
        """Declare a PATCH that changes the given fields and keeps the others."""

        async def update(call: Call, **given: Any) -> Content:
            record_id = given.pop(f"{self._kind}_id")
            present = await self._rows(call.services.catalogue).find(record_id)
            return await self._updated(call, present, self._prepare(call, given, present), "changed")

        self._declare(
            *("PATCH", path, update, f"update_{self._kind}", doc),
            body=changes_to(body),
            answers=self._shape,
            durable=True,
            refusals=(NotFound, AlreadyExists, CapacityTooLow),
        )

    def delete(self, path: str) -> None:
        """Declare a DELETE, refused with InUse once tickets were sold or while some are reserved."""

        async def delete(call: Call, **ids: int) -> Content:
            (record_id,) = ids.values()
            rows = self._rows(call.services.catalogue)
            present = await rows.find(record_id)
            await _change(call, self._owner(present), lambda: rows.delete(record_id))
            return Content({"id": str(record_id)}, f"{self._noun.capitalize()} deleted successfully")

        self._declare(
            *("DELETE", path, delete, f"delete_{self._kind}"),
            f"Delete a {self._noun} without sold or reserved tickets.",
            answers=Deleted(),
            durable=True,
            refusals=(NotFound, InUse),
        )

    def close(self, path: str) -> None:
        """Declare POST …/close and …/reopen, which stop and resume sales."""
        for action, past in (("close", "closed"), ("reopen", "reopened")):
            self._declare(
                *("POST", f"{path}/{action}", self._closing(action, past), f"{action}_{self._kind}"),
                f"Close a {self._noun}: accept no new reservations. Existing ones can still be purchased."
                if action == "close"
                else f"Reopen a closed {self._noun} for reservations.",
                answers=self._shape,
                durable=True,
                refusals=(NotFound,),
            )

    def _closing(self, action: str, past: str) -> Callable[..., Awaitable[Content]]:
        async def closing(call: Call, **ids: int) -> Content:
            (record_id,) = ids.values()
            rows, now = self._rows(call.services.catalogue), call.services.clock.now()

            async def write() -> Record:
                # Read again, since another request may have closed it meanwhile.
                closed_at = (await rows.find(record_id))["closed_at"] or datetime.fromtimestamp(now, UTC)
                return await rows.update(record_id, {"closed_at": closed_at if action == "close" else None})

            owner = self._owner(await rows.find(record_id))
            return self._success(await _change(call, owner, write), past)

        return closing

    async def _updated(self, call: Call, present: Record, values: Mapping[str, Any], past: str) -> Content:
        rows = self._rows(call.services.catalogue)
        record = await _change(call, self._owner(present), lambda: rows.update(present["id"], values))
        return self._success(record, past)

    def _success(self, record: Record, past: str) -> Content:
        return Content(self._shape.dump(record), f"{self._noun.capitalize()} {past} successfully")

    def _owner(self, present: Record) -> int:
        """Return the id of the event that a stored record belongs to, or of the event itself."""
        event_id = self._event_of(present)
        return present["id"] if event_id is None else event_id

    def _declare(self, method: str, path: str, handler: Any, name: str, doc: str, **declaration: Any) -> None:
        handler.__name__, handler.__doc__ = name, doc
        refusals: tuple[type[EngineError], ...] = declaration.pop("refusals", ())
        self._resource.declare(method, path, access=Access.ADMIN, refusals=refusals, **declaration)(handler)


async def _change(call: Call, event_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
    """Run `write` while the sales of an event are suspended, and clear the cache of offers."""
    try:
        return await call.services.screenings.change(event_id, write)
    finally:
        call.services.offers.forget()
