"""What the catalogue's resources need of their storage, as narrow protocols.

`Rows` is what every resource has; a resource that needs more says so in a protocol of its own here.
"""

from collections.abc import Mapping
from typing import Any, Protocol

Record = dict[str, Any]
"""A stored record by the names of its columns."""


class Rows(Protocol):
    """Stored records of one kind; `persistence.catalogue.table.Rows` documents it."""

    async def page(
        self, wanted: Mapping[str, Any], order: str = "", *, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """A page of the records that fit, and how many fit in all."""

    async def find(self, record_id: int, **wanted: Any) -> Record:
        """A record by its id, or NotFound."""

    async def insert(self, values: Mapping[str, Any]) -> Record:
        """Make a record."""

    async def update(self, record_id: int, values: Mapping[str, Any]) -> Record:
        """Change a record, or NotFound."""

    async def delete(self, record_id: int) -> None:
        """Delete a record, or NotFound, or InUse."""


class Catalogue(Protocol):
    """All resources, by their names."""

    @property
    def cinemas(self) -> Rows:
        """Cinemas."""
