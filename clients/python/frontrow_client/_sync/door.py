"""Tickets at the door; for scanners and administrators."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from frontrow_client._sync.base import Base, given
from frontrow_client.public_models import Admission, AdmissionCounts, ExpectedTicket, OfflineScan, ScanResult


class _Results(msgspec.Struct):
    results: list[ScanResult]


class Door(Base):
    """Check-in. `code` is the content of a QR code, or the code that is printed under it."""

    def check_in(
        self,
        code: str,
        gate: str,
        *,
        screening_id: int | None = None,
        direction: str = "in",
        key: str | None = None,
    ) -> Admission:
        """Admit a ticket, once.

        Args:
            code: of the ticket.
            gate: any name; others are told.
            screening_id: the only screening or event that the gate admits to.
            direction: "out" if the visitor leaves and may come back.
            key: an idempotency key; without one each call has its own.

        Raises:
            ScanRefused: the ticket is not admitted; `code` says why, such as "already_admitted".
            NotFound: it is none of the server's tickets (`unknown_code`).
        """
        body = given(code=code, gate=gate, screening_id=screening_id, direction=direction)
        return self._post("/api/v1/check-in", Admission, body, key=key)

    def undo_check_in(self, code: str, gate: str, *, screening_id: int | None = None) -> Admission:
        """Take an admission back."""
        body = given(code=code, gate=gate, screening_id=screening_id)
        return self._post("/api/v1/check-in/undo", Admission, body)

    def report_scans(self, scanner_id: str, scans: Sequence[OfflineScan]) -> list[ScanResult]:
        """Report up to 200 scans that were made offline. The same scan again gets the same result."""
        body = {"scanner_id": scanner_id, "scans": list(scans)}
        return (self._post("/api/v1/check-in/batch", _Results, body)).results

    def check_in_counts(self, screening_id: int) -> AdmissionCounts:
        """Return how many were admitted; `watch_events` follows that."""
        path = f"/api/v1/admin/screenings/{screening_id}/check-ins/counts"
        return self._get(path, AdmissionCounts)

    def expected_tickets(self, screening_id: int) -> Iterator[ExpectedTicket]:
        """Iterate over the tickets that a scanner needs to know to work offline."""
        path = f"/api/v1/admin/screenings/{screening_id}/check-ins/tickets"
        return self._pages(path, ExpectedTicket)

    def qr_key(self) -> dict[str, Any]:
        """Return the public key that verifies QR codes, as a JSON Web Key."""
        return self._get("/api/v1/tickets/qr-key", dict[str, Any])
