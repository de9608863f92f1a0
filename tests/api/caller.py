"""An HTTP client of the REST API, for tests."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import HTTPHeaders

RESERVATIONS = "/api/v1/seat-reservations"
TICKETS = "/api/v1/tickets"


class Response(NamedTuple):
    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code, with or without the envelope of the public API."""
        return self.json.get("error", self.json)["code"]


class Caller:
    """A client of the API.

    Args:
        base_url: URL of the server.
        token: JSON Web Token; None for a guest.
    """

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self.base_url = base_url
        self.token = token
        self._http = AsyncHTTPClient()

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Response:
        """Send a request: `body` as JSON or `raw` unchanged, and `key` as Idempotency-Key."""
        sent = {"Content-Type": "application/json"}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            sent["Idempotency-Key"] = key
        request = HTTPRequest(
            self.base_url + path,
            method=method,
            headers=sent | (headers or {}),
            body=json.dumps(body).encode() if body is not None else raw,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            decompress_response=False,
            # It includes the time until one of the ten connections of the client is free.
            connect_timeout=60,
            request_timeout=60,
        )
        response = await self._http.fetch(request, raise_error=False)
        return Response(response.code, response.headers, response.body or b"")

    async def reserve(self, screening: int, seats: Sequence[int], **options: Any) -> Response:
        body = {"screening_id": screening, "seat_ids": list(seats)}
        return await self.send("POST", f"{RESERVATIONS}/reserve", body, **options)

    async def extend(self, screening: int, seats: Sequence[int], query: str = "", **options: Any) -> Response:
        body = {"screening_id": screening, "seat_ids": list(seats)}
        return await self.send("POST", f"{RESERVATIONS}/extend{query}", body, **options)

    async def toggle(self, screening: int, *seats: int, **options: Any) -> Response:
        which = {"seat_id": seats[0]} if len(seats) == 1 else {"seat_ids": list(seats)}
        body = {"screening_id": screening, **which}
        return await self.send("POST", f"{RESERVATIONS}/toggle", body, **options)

    async def clean_up(self) -> Response:
        return await self.send("POST", f"{RESERVATIONS}/cleanup")

    async def cancel_reservations(self, screening: int, query: str = "") -> Response:
        return await self.send("DELETE", f"{RESERVATIONS}/cancel/{screening}{query}")

    async def availability(self, screening: int, **options: Any) -> Response:
        return await self.send("GET", f"{RESERVATIONS}/screening/{screening}/availability", **options)

    async def own_availability(self, screening: int, **options: Any) -> Response:
        return await self.send("GET", f"{RESERVATIONS}/screening/{screening}/availability/me", **options)

    async def my_reservations(self, query: str = "") -> Response:
        return await self.send("GET", f"{RESERVATIONS}/my-reservations{query}")

    async def book(
        self, screening: int, seats: Sequence[int], key: str | None = None, **more: Any
    ) -> Response:
        body = {"screening_id": screening, "seat_ids": list(seats), **more}
        return await self.send("POST", f"{TICKETS}/book", body, key=key)

    async def book_reservation(
        self, screening: int, seats: Sequence[int], payment_id: str, key: str | None = None, **more: Any
    ) -> Response:
        body = {"screening_id": screening, "seat_ids": list(seats), "payment_id": payment_id, **more}
        return await self.send("POST", f"{TICKETS}/book-from-reservation", body, key=key)

    async def confirm_payment(
        self, ticket: int, payment_id: str, key: str | None = None, **more: Any
    ) -> Response:
        body = {"payment_id": payment_id, **more}
        return await self.send("POST", f"{TICKETS}/{ticket}/confirm-payment", body, key=key)

    async def ticket(self, ticket: int) -> Response:
        return await self.send("GET", f"{TICKETS}/{ticket}")

    async def cancel_ticket(self, ticket: int) -> Response:
        return await self.send("DELETE", f"{TICKETS}/{ticket}")

    async def my_tickets(self, query: str = "") -> Response:
        return await self.send("GET", f"{TICKETS}/my-tickets{query}")
