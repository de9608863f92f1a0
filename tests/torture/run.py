"""One run: clients use the cluster while faults happen, all is mended, and the truth is asked for."""

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import aiohttp
from psycopg2.extras import RealDictCursor

from persistence.connector import Connector
from persistence.verification import verified
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.seeding import seeded
from tests.box_office import days_ahead
from tests.database import connect, execute
from tests.torture.buyers import Buyer, seat_of
from tests.torture.caller import Answer, Caller, Unanswered
from tests.torture.goods import RESERVATIONS, Hall
from tests.torture.guests import PUBLIC, Counter, Guest
from tests.torture.injection import Injection
from tests.torture.recorder import Recorder
from tests.torture.schedule import Schedule
from tests.torture.site import HOLD_SECONDS, Site
from tests.torture.watchers import Watcher

HALLS, ROWS, SEATS_PER_ROW = 6, 8, 10
"""Halls of the buyers; there is one more for tickets that are paid later."""

BUYERS, GUESTS = 12, 3
FIRST_GUEST, FIRST_CUSTOMER, CUSTOMERS, WATCHER, ADMIN = 300, 500, 20, 800, 900
TICKET_TYPES, TICKETS_OF_TYPE = 10, 12
"""Many small ones: the judge searches each by itself."""

READY_SECONDS, SETTLE_SECONDS, QUIET_SECONDS = 300.0, 180.0, 60.0
PROGRESS_SECONDS = 10.0
_TABLES = {
    "tickets": "SELECT id, screening_id, seat_id, holder, booking_id, payment_id, price, status FROM tickets",
    "payments": "SELECT payment_id, holder, booking_id FROM payments",
    "refunds": "SELECT payment_id, ticket_id, booking_id, amount, status, reason FROM refunds",
}


class Run:
    """A run.

    Args:
        schedule: what goes wrong.
        folder: for everything that it stores.
        site: the cluster, which has been started.
        recorder: of the history.
        session: of all clients.

    Attributes:
        injection: the faults.
        loads: how often screenings were loaded into the memory of a node.
        problems: what is wrong beside what the history shows.
        success_share: share of the operations that succeeded while faults happened.
    """

    def __init__(
        self, schedule: Schedule, folder: Path, site: Site, recorder: Recorder, session: aiohttp.ClientSession
    ) -> None:
        self.injection = Injection(site, self._change_layout, self._serves, recorder.note)
        self.problems: list[str] = []
        self.loads = 0
        self.success_share = 0.0
        self._schedule = schedule
        self._folder = folder
        self._site = site
        self._recorder = recorder
        self._session = session
        self._urls = {name: site.url_of(name) for name in site.nodes}
        self._admin = self._caller(ADMIN, admin=True)
        self._draw = random.Random(schedule.seed)
        self._halls: list[Hall] = []
        self._buyers: list[Buyer] = []
        self._guests: list[Guest] = []
        self._watchers: list[Watcher] = []
        self._counter: Counter
        self._event_id = 0
        self._types: list[int] = []

    @property
    def exits(self) -> list[str]:
        """Programs that have ended by themselves, with their exit statuses."""
        programs = (*self._site.nodes.values(), *self._site.nats.values())
        return [f"{program.name} with {status}" for program in programs for status in program.exits]

    @property
    def sockets(self) -> int:
        """Number of sockets that watchers have opened."""
        return sum(watcher.sockets for watcher in self._watchers)

    async def __call__(self) -> None:
        """Carry it out."""
        await self._prepare()
        _say(
            f"{len(self._urls)} nodes serve; "
            f"{len(self._schedule.faults)} faults in {self._schedule.seconds:g} s"
        )
        over = asyncio.Event()
        watching = [asyncio.create_task(watcher.watch()) for watcher in self._watchers]
        progress = asyncio.create_task(self._report())
        try:
            self.injection.began_at = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for shopper in (*self._buyers, *self._guests):
                    group.create_task(shopper.shop(over))
                group.create_task(self._counter.sell(over))
                await self.injection.run(self._schedule)
                left = self.injection.began_at + self._schedule.seconds - time.monotonic()
                await asyncio.sleep(max(0.0, left))
                over.set()
            self.success_share = self._recorder.success_share
            _say("all is mended; waiting until nothing is open")
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._all_serve()
                await asyncio.gather(*(shopper.settle() for shopper in (*self._buyers, *self._guests)))
            final = await self._final()
            (self._folder / "final.json").write_text(json.dumps(final, default=str) + "\n")
            await self._caught_up(final)
        finally:
            for task in (progress, *watching):
                task.cancel()
            await asyncio.wait([progress, *watching])
        ((self.loads,),) = await asyncio.to_thread(
            execute, self._site.database_url, "SELECT coalesce(sum(epoch), 0)::int FROM screening_epochs"
        )
        if late := await asyncio.to_thread(late_writes_in, self._site.database_url):
            self.problems.append(f"{late} rows were written for screenings that another node had taken")
        self.problems += await self._not_verified()

    async def _not_verified(self) -> list[str]:
        """Return what `frontrow verify` finds wrong: the log against the tables, and the hashes of owners."""
        connector = Connector(self._site.database_url, pool_size=1, statement_timeout_seconds=SETTLE_SECONDS)
        try:
            return [
                f"log and tables differ: screening {one.screening_id}: {one.difference}"
                async for one in verified(connector)
                if one.difference is not None
            ]
        finally:
            connector.close()

    def _caller(self, user_id: int, *, admin: bool = False) -> Caller:
        return Caller(self._session, self._site.token(user_id, admin=admin))

    async def _prepare(self) -> None:
        """Wait for the nodes, and create everything that is sold."""
        self._recorder.note(self._promises())
        url = self._site.database_url
        for _ in range(HALLS + 1):
            (hall,) = await seeded(url, 1, ROWS, SEATS_PER_ROW)
            rows = execute(
                url, "SELECT id, row_label || seat_number FROM seats WHERE room_id = %s", hall.room_id
            )
            self._halls.append(Hall(hall.id, hall.room_id, list(hall.seat_ids), dict(rows)))
        for user_id in (*range(1, BUYERS + 1), *range(FIRST_CUSTOMER, FIRST_CUSTOMER + CUSTOMERS)):
            statement = "INSERT INTO users (id, email, password_hash) VALUES (%s, %s, '')"
            execute(url, statement, user_id, f"user-{user_id}@home.example")
        async with asyncio.timeout(READY_SECONDS):
            await self._all_serve()
            await self._create_event()
        *halls, pending_hall = self._halls
        seed, recorder = self._schedule.seed, self._recorder
        self._buyers = [
            Buyer(user_id, self._caller(user_id), self._urls, recorder, seed, halls, pending_hall)
            for user_id in range(1, BUYERS + 1)
        ]
        for buyer in self._buyers:
            buyer.others = self._buyers
        self._guests = [
            Guest(user_id, self._caller(user_id), self._urls, recorder, seed, self._event_id, self._types)
            for user_id in range(FIRST_GUEST, FIRST_GUEST + GUESTS)
        ]
        customers = range(FIRST_CUSTOMER, FIRST_CUSTOMER + CUSTOMERS)
        self._counter = Counter(self._admin, self._urls, recorder, seed, halls, customers)
        self._watchers = [
            Watcher(
                f"{node} {hall.id}",
                *(self._session, node, url, hall.id, self._site.token(WATCHER), recorder),
            )
            for node, url in self._urls.items()
            for hall in halls
        ]

    def _promises(self) -> dict[str, Any]:
        """Return what the judge may expect of times; for the others the defaults of `Settings` are right."""
        return {"kind": "settings", "hold_seconds": HOLD_SECONDS}

    async def _serves(self, node: str) -> Answer:
        return await self._asked(self._urls[node], "GET", "/readyz")

    async def _all_serve(self) -> None:
        """Wait until every node is ready, and answers for every hall."""
        paths = ["/readyz", *(_availability(hall.id) for hall in self._halls)]
        for url in self._urls.values():
            for path in paths:
                await self._asked(url, "GET", path)

    async def _asked(self, url: str, method: str, path: str, body: object = None) -> Answer:
        """Send a request of the administrator until it is answered."""
        while True:
            try:
                answer = await self._admin.send(url, method, path, body)
            except Unanswered:
                answer = Answer(503, None)
            if answer.status < 500:
                return answer
            await asyncio.sleep(0.1)

    async def _create_event(self) -> None:
        url = next(iter(self._urls.values()))
        event = {
            "title": "Night of the Brass Bands",
            "venue": "Harbour Hall",
            "startDate": days_ahead(30),
        }
        made = await self._asked(url, "POST", "/api/admin/events", event)
        assert made.status == 201, made
        self._event_id = int(made.document["data"]["id"])
        for number in range(TICKET_TYPES):
            body = {
                "eventId": str(self._event_id),
                "name": f"Block {number + 1}",
                "price": 25.5,
                "capacity": TICKETS_OF_TYPE,
            }
            made = await self._asked(url, "POST", "/api/admin/ticket-types", body)
            assert made.status == 201, made
            self._types.append(int(made.document["data"]["id"]))

    async def _change_layout(self) -> None:
        """Move all seats of a hall a little, and change what is best there."""
        hall = self._draw.choice(self._halls)
        path = f"/api/v1/rooms/{hall.room_id}/layout"
        shift, url = self._draw.uniform(0.0, 0.5), self._draw.choice(sorted(self._urls.values()))
        while True:
            layout = (await self._asked(url, "GET", path)).document
            for seat in layout["seats"]:
                seat["x"] = round(seat["x"] + shift, 2)
            layout["focus"] = {
                "x": self._draw.randint(1, SEATS_PER_ROW),
                "y": self._draw.randint(1, ROWS),
                "rows": [],
            }
            answer = await self._asked(url, "PUT", path, layout)
            # It may have been published without an answer.
            if answer.status in (200, 409):
                return
            raise OSError(f"the layout was not accepted: {answer}")

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            elapsed = time.monotonic() - self.injection.began_at
            _say(
                f"{elapsed:.0f} s: {self._recorder.operations} operations, "
                f"{self._recorder.success_share:.0%} successful, {self.injection.done.total()} faults"
            )

    async def _final(self) -> dict[str, Any]:
        """Return the truth, when all holds have lapsed: what all nodes say, twice, and the tables."""
        async with asyncio.timeout(HOLD_SECONDS + QUIET_SECONDS):
            earlier: dict[str, Any] = {}
            while True:
                screenings = await self._screenings()
                if screenings == earlier and not _holds(screenings):
                    break
                earlier = screenings
                await asyncio.sleep(0.5)
        types = {}
        for kind in self._types:
            answer = await self._asked(self._any_url(), "GET", f"{PUBLIC}/availability/{kind}")
            data = answer.document["data"]
            types[str(kind)] = {"capacity": data["total"], "left": data["available"]}
        tables = await asyncio.to_thread(_tables, self._site.database_url)
        owners = {
            (ticket["screening_id"], ticket["seat_id"]): ticket["holder"]
            for ticket in tables["tickets"]
            if ticket["status"] in ("pending", "confirmed")
        }
        for screening, shown in screenings.items():
            for seat in shown["seats"]:
                if owner := owners.get((int(screening), seat["seat"])):
                    seat["user"] = owner
        return {"time": time.monotonic(), "screenings": screenings, "ticket_types": types, **tables}

    def _any_url(self) -> str:
        return self._draw.choice(sorted(self._urls.values()))

    async def _screenings(self) -> dict[str, Any]:
        """Ask all nodes for the seats of all halls; they must agree once nothing happens any more."""
        screenings: dict[str, Any] = {}
        for hall in self._halls:
            answers = [await self._asked(url, "GET", _availability(hall.id)) for url in self._urls.values()]
            shown = [[seat_of(entry) for entry in answer.document] for answer in answers]
            screenings[str(hall.id)] = {"seats": shown[0], "agree": all(one == shown[0] for one in shown)}
        return screenings

    async def _caught_up(self, final: dict[str, Any]) -> None:
        """Give watchers time to see the end; whether they do is judged from the history."""
        await asyncio.sleep(3.0)


def _availability(screening: int) -> str:
    return f"{RESERVATIONS}/screening/{screening}/availability"


def _holds(screenings: dict[str, Any]) -> bool:
    return any(
        seat["status"] == "reserved" or not one["agree"]
        for one in screenings.values()
        for seat in one["seats"]
    )


def _tables(database_url: str) -> dict[str, list[dict[str, Any]]]:
    plain = connect(database_url)
    try:
        with plain.cursor(cursor_factory=RealDictCursor) as cursor:
            tables = {}
            for name, statement in _TABLES.items():
                cursor.execute(statement)
                tables[name] = [dict(row) for row in cursor.fetchall()]
            return tables
    finally:
        plain.close()


def _say(text: str) -> None:
    print(text, flush=True)
