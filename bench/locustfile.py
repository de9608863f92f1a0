"""Visitors for Locust, who look at halls, choose seats, and buy them or give them back.

    locust -f bench/locustfile.py --host http://127.0.0.1:8000

It needs nothing but Locust. Visitors are guests with a token each, unless these variables say otherwise:

    FRONTROW_TOKEN                      JSON Web Tokens of users, separated by commas; visitors take turns
    FRONTROW_EMAIL, FRONTROW_PASSWORD   a log-in that all visitors share
    FRONTROW_SCREENINGS                 ids of screenings, separated by commas; by default the server's list

For a large crowd give many tokens (`frontrow token --user-id 7` issues one), since the server limits what one
person holds (FRONTROW_HELD_SEATS_LIMIT), what all guests of an address hold (FRONTROW_GUEST_SEATS_LIMIT), and
how many guests come from an address in a minute (FRONTROW_GUEST_CREATIONS_PER_ADDRESS). Such limits, and
seats that somebody else has, are no failures. Everything else is.

Locust shows how a service behaves. For how fast it can be use `frontrow bench`: Locust needs more processor
time for a request than the server does.
"""

import itertools
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from locust import FastHttpUser, between, events, task
from locust.env import Environment

SEATS = "/api/v1/seat-reservations"
BUYING_SHARE = 0.3
"""Share of the visitors with chosen seats who buy them."""

LONGEST_PARTY = 4
SCREENINGS_LIMIT = 50
ANSWER_SECONDS = 30
LONGEST_PAUSE_SECONDS = 60

EXPECTED = frozenset(
    {
        *("seats_unavailable", "no_adjacent_seats", "would_strand_seat", "not_held", "hold_life_spent"),
        *("hold_limit_exceeded", "guest_limit_exceeded", "person_limit_exceeded", "account_required"),
        "sales_closed",
    }
)
"""Refusals with which a visitor has to live."""


class Run:
    """State shared by all visitors of a process.

    Attributes:
        screenings: ids of the screenings to visit.
        tokens: of users, in turn; None if visitors are guests.
    """

    screenings: list[int]
    tokens: Iterator[str] | None


def end(message: str) -> NoReturn:
    """End the program with a message."""
    sys.exit(f"locustfile: {message}")


def ask(host: str, path: str, body: object = None) -> Any:
    """Send a request outside the statistics; ends the program if it is refused."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(host.rstrip("/") + path, content, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  # the address is the user's
            return json.load(answer)
    except HTTPError as refusal:
        said = refusal.read(500).decode(errors="replace")
        end(f"{path} was refused with {refusal.code}: {said}")
    except (URLError, TimeoutError, ConnectionError) as error:
        end(f"{host} cannot be reached: {getattr(error, 'reason', error)}")
    except ValueError:
        end(f"{host} does not look like a Frontrow server: {path} is answered with something else")


def screenings_of(host: str) -> list[int]:
    """Return the ids of the screenings to visit."""
    named = os.environ.get("FRONTROW_SCREENINGS", "").strip()
    if named:
        if not all(part.strip().isdecimal() for part in named.split(",")):
            end(f"FRONTROW_SCREENINGS must be numbers separated by commas, not {named!r}")
        return [int(part) for part in named.split(",")]
    listed = ask(host, f"/api/v1/showtimes/?size={SCREENINGS_LIMIT}")
    if not listed:
        end(
            "the server has no screenings that can be visited: create some (`frontrow serve --demo`, or "
            "`frontrow seed --screenings 20 --rows 20 --seats-per-row 30`), or set FRONTROW_SCREENINGS"
        )
    return [screening["id"] for screening in listed]


def tokens_of(host: str) -> Iterator[str] | None:
    """Return the tokens of users in turn; None if there are none."""
    tokens = [part.strip() for part in os.environ.get("FRONTROW_TOKEN", "").split(",") if part.strip()]
    email, password = os.environ.get("FRONTROW_EMAIL"), os.environ.get("FRONTROW_PASSWORD")
    if bool(email) != bool(password):
        end("FRONTROW_EMAIL and FRONTROW_PASSWORD belong together; only one of them is set")
    if email:
        tokens.append(ask(host, "/api/v1/auth/login", {"email": email, "password": password})["access_token"])
    return itertools.cycle(tokens) if tokens else None


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Environment, **_: Any) -> None:
    """Find what is needed before the first visitor comes."""
    host = environment.host
    if not host:
        end("name the server with --host, such as --host http://127.0.0.1:8000")
    Run.screenings = screenings_of(host)
    Run.tokens = tokens_of(host)


class Visitor(FastHttpUser):
    """A visitor who looks at a seat map."""

    wait_time = between(0.2, 2)

    def on_start(self) -> None:
        """Come with a token."""
        self._token = next(Run.tokens) if Run.tokens else self._guest()
        self._may_buy = True

    def _guest(self) -> str:
        while True:
            with self.client.post("/api/public/guests", name="new guest", catch_response=True) as answer:
                if answer.status_code == 201:
                    return str(answer.json()["data"]["accessToken"])
                if answer.status_code != 429:
                    return ""
                answer.success()
                pause = float(answer.headers.get("Retry-After", 1))
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))

    @task(3)
    def look(self) -> None:
        """See what is free."""
        self._send("GET", f"{SEATS}/screening/{random.choice(Run.screenings)}/availability/me", "look")

    @task(3)
    def choose(self) -> None:
        """Reserve the best seats for a party, then buy them or give them back."""
        screening = random.choice(Run.screenings)
        party = {"screening_id": screening, "quantity": random.randint(1, LONGEST_PARTY)}
        reserved = self._send("POST", f"{SEATS}/best-available", "reserve best", party)
        if reserved is None:
            return
        seat_ids = [reservation["seat_id"] for reservation in reserved["reservations"]]
        if self._may_buy and random.random() < BUYING_SHARE:
            payment = {
                "screening_id": screening,
                "seat_ids": seat_ids,
                "payment_id": f"locust-{uuid.uuid4()}",
            }
            if self._send("POST", "/api/v1/tickets/book-from-reservation", "buy", payment) is not None:
                return
        given_back = ",".join(map(str, seat_ids))
        self._send("DELETE", f"{SEATS}/cancel/{screening}?seat_ids={given_back}", "give back")

    @task(1)
    def click(self) -> None:
        """Take one seat that looks free, and give it back."""
        screening = random.choice(Run.screenings)
        seats = self._send("GET", f"{SEATS}/screening/{screening}/availability/me", "look") or []
        free = [seat["seat"]["id"] for seat in seats if seat["status"] == "available"]
        if free:
            click = {"screening_id": screening, "seat_id": random.choice(free)}
            if self._send("POST", f"{SEATS}/toggle", "click", click) is not None:
                self._send("POST", f"{SEATS}/toggle", "click", click)

    def _send(self, method: str, path: str, name: str, body: object = None) -> Any:
        """Return the answer, or None if it was refused."""
        head = {"Authorization": f"Bearer {self._token}"}
        with self.client.request(
            method, path, json=body, headers=head, name=name, catch_response=True
        ) as answer:
            if 200 <= answer.status_code < 300:
                return answer.json() if answer.content else {}
            code = refusal_of(answer)
            if code == "account_required":
                self._may_buy = False
            if code in EXPECTED:
                answer.success()
            elif answer.status_code:
                answer.failure(f"{answer.status_code} {code}")
            return None


def refusal_of(answer: Any) -> str:
    """Return the code of a refusal."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return "without a code"
