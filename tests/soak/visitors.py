"""People who buy, wait, change their minds, register and leave; and requests that are refused."""

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.client import Client
from tests.soak.crowd import Crowd, Hall

RESERVATIONS, TICKETS, WAITLIST = "/api/v1/seat-reservations", "/api/v1/tickets", "/api/v1/waitlist"
PUBLIC = "/api/public/reservations"
PASSWORD = "correct horse battery"


class Visitor:
    """One person after the other.

    Args:
        crowd: the shared state.
    """

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._draw = crowd.draw
        self._deeds = [
            (20, self._hold_and_let_go),
            (14, self._buy_and_cancel),
            (6, self._buy_and_move),
            (6, self._want_the_best),
            (6, self._look),
            (6, self._wait_in_line),
            (6, self._take_tickets_as_guest),
            (2, self._have_an_account),
            (12, self._be_refused),
            (3, self._send_nonsense),
        ]

    async def come_and_go(self) -> None:
        """Do one thing after the other until all is over."""
        await self._crowd.repeat(self._deeds)

    def _some_seats(self, hall: Hall, most: int = 3) -> dict[str, Any]:
        seats = self._draw.sample(list(hall.seat_ids), self._draw.randint(1, most))
        return {"screening_id": hall.id, "seat_ids": seats}

    async def _hold_and_let_go(self) -> None:
        do, person, hall = self._crowd.do, self._crowd.client(), self._crowd.hall()
        body = self._some_seats(hall)
        held = await do("reserve", person, "POST", f"{RESERVATIONS}/reserve", body)
        if held.status != 201:
            return
        if self._draw.random() < 0.3:
            await do("extend", person, "POST", f"{RESERVATIONS}/extend?additional_minutes=1", body)
        if self._draw.random() < 0.3:
            await do("toggle", person, "POST", f"{RESERVATIONS}/toggle", body)
        elif self._draw.random() < 0.6:
            await do("release", person, "DELETE", f"{RESERVATIONS}/cancel/{hall.id}")
        # Otherwise it lapses.

    async def _buy(self, person: Client, hall: Hall) -> list[int]:
        body = {**self._some_seats(hall), "payment_id": f"pi_{self._draw.getrandbits(64):x}"}
        bought = await self._crowd.do("book", person, "POST", f"{TICKETS}/book", body)
        return [ticket["id"] for ticket in bought.document] if bought.status == 201 else []

    async def _buy_and_cancel(self) -> None:
        do, person = self._crowd.do, self._crowd.client()
        for ticket in await self._buy(person, self._crowd.hall()):
            if self._draw.random() < 0.8:
                await do("cancel", person, "DELETE", f"{TICKETS}/{ticket}")

    async def _buy_and_move(self) -> None:
        do, person, to = self._crowd.do, self._crowd.client(), self._crowd.hall()
        for ticket in await self._buy(person, self._crowd.hall()):
            body = {"screening_id": to.id, "seat_id": self._draw.choice(to.seat_ids)}
            await do("move", person, "POST", f"{TICKETS}/{ticket}/move", body)
            await do("cancel", person, "DELETE", f"{TICKETS}/{ticket}")

    async def _want_the_best(self) -> None:
        body = {"screening_id": self._crowd.hall().id, "quantity": self._draw.randint(1, 5)}
        await self._crowd.do("best", self._crowd.client(), "POST", f"{RESERVATIONS}/best-available", body)

    async def _look(self) -> None:
        do, person, hall = self._crowd.do, self._crowd.client(), self._crowd.hall()
        await do("availability", person, "GET", f"{RESERVATIONS}/screening/{hall.id}/availability/me")
        await do("own", person, "GET", f"{TICKETS}/my-tickets")
        await do("list", person, "GET", "/api/v1/screenings/?limit=5")

    async def _wait_in_line(self) -> None:
        """Take nearly all of a hall, let somebody wait for the rest, and give everything back."""
        do, owner, person = self._crowd.do, self._crowd.client(), self._crowd.client()
        hall = self._crowd.hall()
        body = {"screening_id": hall.id, "seat_ids": list(hall.seat_ids[:10])}
        await do("reserve ten", owner, "POST", f"{RESERVATIONS}/reserve", body)
        watched = {"screening_id": hall.id, "seat_id": hall.seat_ids[0]}
        await do("be told", person, "POST", f"{RESERVATIONS}/notify-when-free", watched)
        waiting = await do("wait", person, "POST", WAITLIST, {"screening_id": hall.id, "quantity": 2})
        await do("give back", owner, "DELETE", f"{RESERVATIONS}/cancel/{hall.id}")
        if waiting.status == 201 and self._draw.random() < 0.7:
            await do("stop waiting", person, "DELETE", f"{WAITLIST}/{waiting.document['id']}")

    async def _take_tickets_as_guest(self) -> None:
        do, person = self._crowd.do, self._crowd.client()
        session = {"sessionId": f"soak-session-{self._draw.getrandbits(64):x}"}
        order = {"ticketTypeId": self._crowd.ticket_type_id, "quantity": self._draw.randint(1, 3), **session}
        made = await do("guest reserves", person, "POST", PUBLIC, order)
        if made.status != 201:
            return
        path = f"{PUBLIC}/{made.document['data']['reservation']['id']}"
        if self._draw.random() < 0.5:
            await do("guest extends", person, "PATCH", path, {"additionalMinutes": 1, **session})
        if self._draw.random() < 0.7:
            await do("guest cancels", person, "DELETE", path, session)

    async def _have_an_account(self) -> None:
        """Register, log in, buy (which sends mails), and delete the account with its tickets."""
        do, nobody = self._crowd.do, self._crowd.client()
        email = f"soak-{self._draw.getrandbits(48):x}@home.example"
        account = {"email": email, "password": PASSWORD, "full_name": "Ada Byron"}
        made = await do("register", nobody, "POST", "/api/v1/auth/register", account)
        if made.status != 201:
            return
        person = Client(self._crowd.server, self._crowd.session, made.document["id"])
        login = {"email": email, "password": PASSWORD}
        await do("log in", nobody, "POST", "/api/v1/auth/login", login)
        await do("mistype", nobody, "POST", "/api/v1/auth/login", {**login, "password": PASSWORD[1:]})
        await do("forget", nobody, "POST", "/api/v1/auth/forgot-password", {"email": email})
        await do("rename", person, "PUT", "/api/v1/users/me", {"full_name": "Ada Lovelace"})
        await self._buy(person, self._crowd.hall())
        await do("leave", person, "DELETE", "/api/v1/users/me?cancel_tickets=true")

    async def _be_refused(self) -> None:
        do, person, hall = self._crowd.do, self._crowd.client(), self._crowd.hall()
        for method, path, body in (
            ("POST", f"{RESERVATIONS}/reserve", {"screening_id": 10**9, "seat_ids": [1]}),
            ("POST", f"{RESERVATIONS}/reserve", {"screening_id": hall.id, "seat_ids": [10**9]}),
            ("POST", f"{RESERVATIONS}/reserve", {"screening_id": "x"}),
            ("POST", f"{TICKETS}/book", {"screening_id": hall.id, "seat_ids": [], "payment_id": "p"}),
            ("DELETE", f"{TICKETS}/{10**9 + self._draw.randrange(10**6)}", None),
            ("GET", f"/api/v1/screenings/{10**9 + self._draw.randrange(10**6)}", None),
            ("GET", f"/no/such/{self._draw.getrandbits(32):x}", None),
            ("PUT", f"{RESERVATIONS}/reserve", {}),
            ("POST", f"{WAITLIST}", {"screening_id": hall.id, "quantity": 1}),
            ("DELETE", f"/api/v1/screenings/{hall.id}", None),
        ):
            answer = await do(f"refused {method}", person, method, path, body)
            assert answer.status >= 400 or path == WAITLIST, (path, answer)

    async def _send_nonsense(self) -> None:
        """Break off in the middle, or speak no HTTP at all."""
        parts = urlsplit(self._crowd.server.url)
        head = f"POST {RESERVATIONS}/reserve HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        for sent in (b"\x16\x03\x01\x02\x00nonsense\r\n\r\n", head.encode()[:40], f'{head}{{"scr'.encode()):
            with suppress(OSError):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                try:
                    writer.write(sent)
                    await asyncio.sleep(self._draw.uniform(0, 0.2))
                finally:
                    writer.transport.abort()
            self._crowd.note("nonsense", 0)
