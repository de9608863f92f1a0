"""Guests of the public API, and events for them, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.caller import Caller, Response
from tests.house import House

PUBLIC = "/api/public"
RESERVATIONS = f"{PUBLIC}/reservations"

ADA = {
    "fullName": "Ada Example",
    "identityType": "passport",
    "identityNumber": "C01X00T47",
    "email": "ada@home.example",
    "whatsapp": "+49 228 1234567",
}
BOB = {
    "fullName": "Bob Example",
    "identityType": "DNI",
    "identityNumber": "12345678",
    "email": "bob@home.example",
    "whatsapp": "57 (300) 123-4567",
}


def days_ahead(days: float) -> str:
    """Return a time some days from now, in the API's format."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def refusal(response: Response) -> tuple[int, str]:
    """Return status and code of an error in the envelope."""
    body = response.json
    assert body["success"] is False, body
    assert isinstance(body["message"], str)
    assert body["message"]
    return response.status, body["error"]["code"]


def data(response: Response) -> Any:
    """Return the data of a successful response in the envelope."""
    assert response.status in (200, 201, 202), response.body
    assert response.json["success"] is True
    return response.json["data"]


async def make_event(house: House, **details: Any) -> str:
    """Create an event next month. Returns its id."""
    body = {"title": "Night of the Brass Bands", "venue": "Harbour Hall", "startDate": days_ahead(30)}
    return data(await house.admin.send("POST", "/api/admin/events", {**body, **details}))["id"]


async def make_type(house: House, event_id: str, name: str = "Standing", **details: Any) -> str:
    """Create a ticket type of an event. Returns its id."""
    body = {"eventId": event_id, "name": name, "price": 25.5, "capacity": 20, **details}
    return data(await house.admin.send("POST", "/api/admin/ticket-types", body))["id"]


class Guest(Caller):
    """A caller with a session, and possibly a token."""

    def __init__(self, house: House, session_id: str | None, token: str | None = None) -> None:
        super().__init__(house.base_url, token)
        self.session_id = session_id

    @property
    def _named(self) -> dict[str, str]:
        return {} if self.session_id is None else {"sessionId": self.session_id}

    @property
    def _query(self) -> str:
        return "" if self.session_id is None else f"sessionId={self.session_id}"

    async def reserve(  # type: ignore[override]
        self, ticket_type: str, quantity: int = 1, key: str | None = None, **more: Any
    ) -> Response:
        body = {"ticketTypeId": ticket_type, "quantity": quantity, **self._named, **more}
        return await self.send("POST", RESERVATIONS, body, key=key)

    async def reserve_all(self, *orders: tuple[str, int], **more: Any) -> Response:
        reservations = [{"ticketTypeId": kind, "quantity": quantity} for kind, quantity in orders]
        return await self.send("POST", RESERVATIONS, {"reservations": reservations, **self._named, **more})

    async def reserved(self, ticket_type: str, quantity: int = 1, **more: Any) -> str:
        """Reserve; returns the id of the reservation."""
        return data(await self.reserve(ticket_type, quantity, **more))["reservation"]["id"]

    async def reservations(self, query: str = "") -> Response:
        return await self.send("GET", f"{RESERVATIONS}?{self._query}{query}")

    async def reservation(self, reservation: str) -> Response:
        return await self.send("GET", f"{RESERVATIONS}/{reservation}?{self._query}")

    async def cancel(self, reservation: str) -> Response:
        return await self.send("DELETE", f"{RESERVATIONS}/{reservation}", self._named)

    async def more_time(self, reservation: str, minutes: Any = 5) -> Response:
        body = {"additionalMinutes": minutes, **self._named}
        return await self.send("PATCH", f"{RESERVATIONS}/{reservation}", body)

    async def purchase(
        self, reservation: str, *holders: Any, buyer: Any = ADA, key: str | None = None, **more: Any
    ) -> Response:
        body = {**self._named, "buyerInfo": buyer, "ticketHolders": list(holders), **more}
        return await self.send("POST", f"{RESERVATIONS}/{reservation}/purchase", body, key=key)

    async def left(self, ticket_type: str) -> dict[str, int]:
        """Return the numbers of tickets by state."""
        left = data(await self.send("GET", f"{PUBLIC}/availability/{ticket_type}"))
        return {name: left[name] for name in ("total", "sold", "reserved", "available")}
