"""Counts of who was admitted: read from the database, and told live to the staff of the door.

Scans come to any server, so only the database knows the counts. A scan marks its screening; a moment later
all servers are told, and those with sockets that watch it read the counts once, however many scanners there
are.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Protocol

from marshmallow import Schema, fields

from api.rows import CheckInRows
from engine.errors import StoreUnavailable
from engine.guards import attempt

CHECK_IN_SERVICE = "check-in"
"""The service whose tokens scanners have. It can do nothing else."""

TELL_SECONDS = 0.25
"""Time for which scans are gathered before the servers are told."""

RETRY_SECONDS = 1.0
_CHANGES = frozenset({"admitted", "left", "undone", "conflict"})


class GateCounts(Schema):
    gate = fields.String(required=True, metadata={"example": "North"})
    admitted = fields.Integer(required=True, metadata={"example": 212})


class AdmissionCounts(Schema):
    """Numbers of admissions to a screening or an event."""

    expected = fields.Integer(required=True, metadata={"description": "Confirmed tickets.", "example": 480})
    admitted = fields.Integer(required=True, metadata={"example": 377})
    inside = fields.Integer(
        required=True, metadata={"description": "Those of them who have not left.", "example": 371}
    )
    conflicts = fields.Integer(
        required=True, metadata={"description": "Tickets that were scanned offline once more.", "example": 0}
    )
    gates = fields.List(
        fields.Nested(GateCounts), required=True, metadata={"description": "By the gate that admitted them."}
    )


class ScanObserver(Protocol):
    """Counts scans."""

    def scanned(self, result: str) -> None:
        """Count a scan by its result."""


class Door:
    """Counts scans, and tells the counts to whoever watches.

    Args:
        rows: admissions.
        observer: counts scans.
    """

    def __init__(self, rows: CheckInRows, observer: ScanObserver) -> None:
        self._rows = rows
        self._observer = observer
        self._watchers: dict[int, set[Callable[[dict[str, Any]], None]]] = {}
        self._scanned: set[int] = set()
        self._due: dict[int, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._tell: Callable[[Collection[int]], None] = lambda screening_ids: None

    def on_told(self, tell: Callable[[Collection[int]], None]) -> None:
        """Call `tell` with the screenings whose counts have changed, for the other servers."""
        self._tell = tell

    def scanned(self, screening_id: int | None, result: str) -> None:
        """A scan was decided.

        Args:
            screening_id: of the ticket; None if it is unknown.
            result: of the scan.
        """
        self._observer.scanned(result)
        if screening_id is None or result not in _CHANGES:
            return
        if not self._scanned:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell_all)
        self._scanned.add(screening_id)

    def _tell_all(self) -> None:
        screening_ids, self._scanned = self._scanned, set()
        self.changed(screening_ids)
        self._tell(screening_ids)

    def changed(self, screening_ids: Collection[int]) -> None:
        """Tell the watchers of some screenings the new counts. Other servers call this too."""
        for screening_id in screening_ids:
            if screening_id in self._due:
                self._due[screening_id] = True
            elif screening_id in self._watchers:
                self._due[screening_id] = False
                task = asyncio.create_task(self._read(screening_id), name="counts of the door")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _read(self, screening_id: int) -> None:
        """Read and send the counts, again if they change meanwhile."""
        try:
            again = True
            while again and screening_id in self._watchers:
                self._due[screening_id] = False
                try:
                    counts = await self.counts(screening_id)
                except StoreUnavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                for send in tuple(self._watchers.get(screening_id, ())):
                    attempt(send, counts)
                again = self._due[screening_id]
        finally:
            del self._due[screening_id]

    async def counts(self, screening_id: int) -> dict[str, Any]:
        """Return the present counts, in the form of `AdmissionCounts`.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        expected, gates = await self._rows.counts(screening_id)
        return {
            "expected": expected,
            "admitted": sum(admitted for _, admitted, _, _ in gates),
            "inside": sum(inside for _, _, inside, _ in gates),
            "conflicts": sum(conflicts for _, _, _, conflicts in gates),
            "gates": [{"gate": gate, "admitted": admitted} for gate, admitted, _, _ in gates],
        }

    def watch(self, screening_id: int, send: Callable[[dict[str, Any]], None]) -> None:
        """Call `send` with the counts of a screening whenever they change."""
        self._watchers.setdefault(screening_id, set()).add(send)

    def unwatch(self, screening_id: int, send: Callable[[dict[str, Any]], None]) -> None:
        """Do not call it any more."""
        watchers = self._watchers.get(screening_id, set())
        watchers.discard(send)
        if not watchers:
            self._watchers.pop(screening_id, None)
