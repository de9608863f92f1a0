"""Administration of events and ticket types, one line of declaration per operation.

    administration = Administration(admin_events, "event", AdminEvent, lambda catalogue: catalogue.events, …)
    administration.list("", ListQuery)
    administration.create("", EventDetails)

The counterpart of `api.catalogue.collection` for records that the engine sells from: a change suspends the
sales of its event, and clears the cache of offers.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from api.public.shapes import CamelCaseSchema, ListQuery, identifier, listed_content
from api.rest.endpoint import Access, Call, dump
from api.rest.fields import RequestSchema, changes_to
from api.rest.paging import Window
from api.rest.records import RecordOperations
from api.rest.styles import Content
from api.rows import Record
from engine.catalogue_errors import AlreadyExists, CapacityTooLow, InUse
from engine.errors import NotFound

Written = TypeVar("Written")


class Deleted(CamelCaseSchema):
    id = identifier("17")


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration(RecordOperations):
    """Declares the operations of a resource.

    Attributes:
        event_of: returns the id of the event that a record belongs to; None if the record is an event.
        prepare: coroutine that returns the values to store. Takes the call, the values of the request, and
            the record to update (None for a new one). May raise InvalidInput.
    """

    event_of: Callable[[Mapping[str, Any]], int | None]
    prepare: Callable[[Call, Mapping[str, Any], Record | None], Awaitable[Mapping[str, Any]]]

    def list(self, path: str, query: type[ListQuery]) -> None:
        """Declare a GET that answers a page of the records matching the query."""

        async def list_records(call: Call, window: Window, **wanted: Any) -> Content:
            return await listed_content(call, window, self.rows(call), wanted, self.shape)

        self.declare(
            *("GET", path, list_records, f"list_all_{self.kind}s", f"List all {self.noun}s."),
            access=Access.ADMIN,
            query=query,
            answers=self.shape(many=True),
            listed=True,
        )

    def create(self, path: str, body: type[RequestSchema], *, doc: str) -> None:
        """Declare a POST that inserts a record."""

        async def create(call: Call, **given: Any) -> Content:
            values = await self.prepare(call, given, None)
            rows, event_id = self.rows(call), self.event_of(values)

            async def write() -> Content:
                return self._success(await rows.insert(values), "created")

            return await (call.kept(write) if event_id is None else _change(call, event_id, write))

        self.declare(
            *("POST", path, create, f"create_{self.kind}", doc),
            body=body,
            answers=self.shape,
            status=201,
            access=Access.ADMIN,
            refusals=(NotFound, AlreadyExists),
        )

    def read(self, path: str) -> None:
        """Declare a GET of one record."""

        async def read(call: Call, **ids: int) -> Any:
            (record_id,) = ids.values()
            return dump(self.shape, await self.rows(call).find(record_id))

        self.declare(
            *("GET", path, read, f"get_any_{self.kind}", f"Get any {self.noun}."),
            access=Access.ADMIN,
            answers=self.shape,
            refusals=(NotFound,),
        )

    def update(self, path: str, body: type[RequestSchema], *, doc: str) -> None:
        """Declare a PATCH that changes the given fields and keeps the others."""

        async def update(call: Call, **given: Any) -> Content:
            record_id = given.pop(f"{self.kind}_id")
            present = await self.rows(call).find(record_id)
            values = await self.prepare(call, given, present)

            async def write() -> Content:
                return self._success(await self.rows(call).update(record_id, values), "changed")

            return await _change(call, self._owner(present), write)

        self.declare(
            *("PATCH", path, update, f"update_{self.kind}", doc),
            body=changes_to(body),
            answers=self.shape,
            access=Access.ADMIN,
            refusals=(NotFound, AlreadyExists, CapacityTooLow),
        )

    def delete(self, path: str) -> None:
        """Declare a DELETE, refused with InUse once tickets were sold or while some are reserved."""

        async def delete(call: Call, **ids: int) -> Content:
            (record_id,) = ids.values()
            rows = self.rows(call)
            present = await rows.find(record_id)

            async def write() -> Content:
                await rows.delete(record_id)
                return Content({"id": str(record_id)}, f"{self.noun.capitalize()} deleted successfully")

            return await _change(call, self._owner(present), write)

        self.declare(
            *("DELETE", path, delete, f"delete_{self.kind}"),
            f"Delete a {self.noun} without sold or reserved tickets.",
            answers=Deleted(),
            access=Access.ADMIN,
            refusals=(NotFound, InUse),
        )

    def close(self, path: str) -> None:
        """Declare POST …/close and …/reopen, which stop and resume sales."""
        for action, past in (("close", "closed"), ("reopen", "reopened")):
            self.declare(
                *("POST", f"{path}/{action}", self._closing(action, past), f"{action}_{self.kind}"),
                f"Close a {self.noun}: accept no new reservations. Existing ones can still be purchased."
                if action == "close"
                else f"Reopen a closed {self.noun} for reservations.",
                answers=self.shape,
                access=Access.ADMIN,
                refusals=(NotFound,),
            )

    def _closing(self, action: str, past: str) -> Callable[..., Awaitable[Content]]:
        async def closing(call: Call, **ids: int) -> Content:
            (record_id,) = ids.values()
            rows = self.rows(call)

            async def write() -> Content:
                # Read again, since another request may have closed it meanwhile.
                closed_at = (await rows.find(record_id))["closed_at"] or call.now
                values = {"closed_at": closed_at if action == "close" else None}
                return self._success(await rows.update(record_id, values), past)

            return await _change(call, self._owner(await rows.find(record_id)), write)

        return closing

    def _success(self, record: Record, past: str) -> Content:
        return Content(dump(self.shape, record), f"{self.noun.capitalize()} {past} successfully")

    def _owner(self, present: Record) -> int:
        """Return the id of the event that a stored record belongs to, or of the event itself."""
        event_id = self.event_of(present)
        return present["id"] if event_id is None else event_id


async def _change(call: Call, event_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
    """Run `write` while the sales of an event are suspended, and clear the cache of offers.

    The response is stored for repeats in the same transaction.
    """
    try:
        return await call.services.screenings.change(event_id, lambda: call.kept(write))
    finally:
        await call.services.offers.forget()
