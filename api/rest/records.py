"""`RecordOperations`: declares operations whose names, texts and schemas follow from the kind of a record."""

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from api.rest.endpoint import Call, Resource
from api.rows import Rows, RowsOf


@dataclass(frozen=True, slots=True)
class RecordOperations:
    """Base of the classes that declare the usual operations of a resource.

    Attributes:
        resource: the resource to add the operations to.
        kind: singular name of a record, e.g. "ticket_type"; used in operation names and texts.
        shape: response schema of a record.
        select_rows: selects the stored records from the catalogue.
    """

    resource: Resource
    kind: str
    shape: type[Schema]
    select_rows: RowsOf

    @property
    def noun(self) -> str:
        """The kind as it appears in texts."""
        return self.kind.replace("_", " ")

    def rows(self, call: Call) -> Rows:
        """Return the stored records."""
        return self.select_rows(call.services.catalogue)

    def declare(self, method: str, path: str, handler: Any, name: str, doc: str, **declaration: Any) -> None:
        """Declare one operation; all but GET are durable.

        Args:
            method: the HTTP method.
            path: path within the resource.
            handler: carries the operation out.
            name: the operation's unique name.
            doc: its summary, and a description after an empty line.
            declaration: further arguments of `api.rest.endpoint.Endpoint`.
        """
        handler.__name__, handler.__doc__ = name, doc
        self.resource.declare(method, path, durable=method != "GET", **declaration)(handler)
