"""The demo: a small cinema and an event with users who can log in; new dates are added as old ones pass."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher

from api.identity.tokens import Tokens
from api.venue_time import local_time
from frontrow.listening import GUIDES_PORTS
from frontrow.seeding import row_label
from persistence.bulk import (
    BulkLoader,
    Cinema,
    Movie,
    NewEvent,
    NewScreening,
    NewSeat,
    NewTicketType,
    UpcomingEvent,
    UpcomingScreening,
)
from persistence.connector import Connector
from persistence.demo_rules import DemoRules, Example

CINEMA = "Lumen Picture House"
TIME_ZONE = "Europe/Berlin"
LOGINS_FILE = "demo-logins.json"
_DAYS = 5
_HOURS = (14, 17, 20)
_PRICE = Decimal("10.99")

MOVIES = (
    Movie(
        "The Cartographer's Tide",
        "A map maker finds a coastline that moves.",
        "Adventure",
        "English",
        "PG",
        118,
        date(2026, 9, 4),
    ),
    Movie(
        "Night Shift at the Observatory",
        "Two astronomers, one signal, no sleep.",
        "Science fiction",
        "English",
        "PG-13",
        104,
        date(2026, 10, 2),
    ),
    Movie(
        "La última panadería",
        "A bakery, a street, and one summer to keep both.",
        "Drama",
        "Spanish",
        "G",
        97,
        date(2026, 8, 21),
    ),
    Movie(
        "Brass and Thunder",
        "A village band enters the wrong contest.",
        "Comedy",
        "English",
        "PG",
        101,
        date(2026, 10, 30),
    ),
)


EVENT_TITLE = "Night of the Brass Bands"
TICKETS = (
    NewTicketType("Standing", Decimal("25.50"), 200, 8),
    NewTicketType("Balcony", Decimal("48.00"), 40, 4),
)
_DAYS_TO_EVENT = 30

CODES = {"press": "ink-and-paper-2026", "fans": "brass-and-thunder"}
"""The access codes of the demo, by channel."""
_EVENT_LENGTH = timedelta(hours=4)


class Login(NamedTuple):
    """A demo user before the password is drawn."""

    email: str
    full_name: str
    is_admin: bool


LOGINS = (
    Login("admin@demo.example", "Demo Administrator", True),
    Login("first@demo.example", "First Demo User", False),
    Login("second@demo.example", "Second Demo User", False),
)


class Member(NamedTuple):
    """A demo user with the password to print."""

    user_id: int
    email: str
    password: str
    is_admin: bool


class Demo(NamedTuple):
    """The contents of the demo; `time_zone` is the cinema's, `examples` are screenings with rules."""

    members: Sequence[Member]
    upcoming: Sequence[UpcomingScreening]
    event: UpcomingEvent
    time_zone: str
    examples: Sequence[Example]


def hall_with_aisles(rows: int, block_sizes: Sequence[int]) -> list[NewSeat]:
    """Build a hall of seat blocks with aisles between them.

    The last two rows are VIP; the two outermost seats on either side of the first row are wheelchair places.

    Args:
        rows: number of rows.
        block_sizes: seats per row in each block.
    """
    width = sum(block_sizes)
    seats = []
    for row in range(rows):
        number, x = 0, 1.0
        for size in block_sizes:
            for _ in range(size):
                number += 1
                seat_type = "vip" if row >= rows - 2 else "standard"
                if row == 0 and number in (1, 2, width - 1, width):
                    seat_type = "wheelchair"
                seats.append(NewSeat(row_label(row), number, seat_type, x, row + 1.0))
                x += 1
            x += 1.5
    return seats


def demo_passwords(data_dir: Path) -> dict[str, str]:
    """Return the demo users' passwords by e-mail address. Blocking.

    They are drawn once and stored in a file that only its owner can read.
    """
    kept = data_dir / LOGINS_FILE
    if kept.exists():
        return {str(email): str(password) for email, password in json.loads(kept.read_text()).items()}
    passwords = {login.email: secrets.token_urlsafe(9) for login in LOGINS}
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(passwords, indent=2))
    return passwords


async def prepare_demo(
    connector: Connector, passwords: Mapping[str, str], hashed: Callable[[str], bytes]
) -> Demo:
    """Create the demo if it is missing, and new screenings and a new event if all are over.

    Args:
        connector: the database.
        passwords: passwords of the users by e-mail address.
        hashed: returns the hash of an access code.
    """
    loader, rules = BulkLoader(connector), DemoRules(connector)
    cinema = await loader.find_cinema(CINEMA)
    if cinema is None:
        cinema = await loader.add_cinema(CINEMA, "Demo City", "1 Projection Lane", TIME_ZONE)
        await loader.add_room(cinema.id, "Great Hall", hall_with_aisles(12, (5, 10, 5)))
        await loader.add_room(cinema.id, "Studio", hall_with_aisles(7, (4, 6)))
    now = datetime.now(UTC)
    upcoming = await loader.upcoming(cinema.id, now)
    if not upcoming:
        await _add_screenings(loader, cinema, now)
        upcoming = await loader.upcoming(cinema.id, now)
        await _add_examples(rules, upcoming, now)
    for channel, code in CODES.items():
        await rules.add_channel(channel, hashed(code))
    event = await loader.upcoming_event(EVENT_TITLE, now) or await _add_event(loader, now)
    members = await _members(loader, passwords)
    return Demo(members, upcoming, event, cinema.time_zone, await rules.examples(cinema.id, now))


def describe(demo: Demo, base_url: str, tokens: Tokens, ttl_seconds: int) -> list[str]:
    """Return instructions for trying the demo, as lines for a terminal.

    Args:
        demo: its contents.
        base_url: the URL that the server listens on.
        tokens: issues a token per user.
        ttl_seconds: lifetime of these tokens.
    """
    screening = demo.upcoming[0]
    begins = _shown(screening.starts_at, demo.time_zone)
    event = demo.event
    order = {"sessionId": "demo-session", "ticketTypeId": str(event.ticket_type_id), "quantity": 2}
    lines = [
        "",
        f"API page      {base_url}/docs",
        f"Screening {screening.id:<4}{screening.title}, {screening.room}, {begins}",
        f"              curl {base_url}/api/v1/seat-reservations/screening/{screening.id}/availability",
        f"Event {event.id:<8}{event.title}, {event.ticket_type}, {_shown(event.starts_at, event.time_zone)}",
        f"              curl {base_url}/api/public/events/{event.id}",
        f"              curl {base_url}/api/public/reservations -d '{json.dumps(order)}'"
        " -H 'Content-Type: application/json'",
    ]
    lines += ["", *(f"Screening {one.id:<4}{_rules_of(one, demo.time_zone)}" for one in demo.examples)]
    for member in demo.members:
        token = tokens.issue(member.user_id, admin=member.is_admin, ttl_seconds=ttl_seconds)
        role = "Administrator" if member.is_admin else "User"
        lines += [
            "",
            f"{role:<14}{member.email}  password {member.password}",
            f"              token {token}",
        ]
    return lines


def _rules_of(example: Example, time_zone: str) -> str:
    """Return the rules that can be tried in a screening, as text."""
    rules = []
    if example.strands_none:
        rules.append("no single seat may be left alone")
    if example.max_per_user is not None:
        rules.append(f"at most {example.max_per_user} seats for each person")
    if example.sales_start is not None:
        opens = _shown(example.sales_start, time_zone)
        rules.append(f"on sale from {opens}, now with the access code {CODES['fans']}")
    if example.label is not None:
        rules.append(f"{example.label} is for the access code {CODES['press']}")
    if example.sold_out:
        rules.append("sold out, with a waiting list: administrators can cancel a ticket")
    return "; ".join(rules)


def _shown(time: datetime, time_zone: str) -> str:
    return f"{local_time(time, time_zone):%d %B %H:%M} ({time_zone})"


def guide_ports_hint() -> list[str]:
    """Return lines for a terminal: the setting that adds the ports the guides' clients expect."""
    ports = " and ".join(map(str, GUIDES_PORTS))
    return [
        f"Guides        their sample clients expect ports {ports}; to serve those too, set",
        f"              FRONTROW_EXTRA_PORTS={','.join(map(str, GUIDES_PORTS))}",
    ]


async def _add_event(loader: BulkLoader, now: datetime) -> UpcomingEvent:
    zone = ZoneInfo(TIME_ZONE)
    evening = datetime.combine(now.astimezone(zone).date() + timedelta(days=_DAYS_TO_EVENT), time(19), zone)
    about = "Six bands, one hall, and nobody sits still."
    event = NewEvent(EVENT_TITLE, about, "Lumen Concert Hall", evening, evening + _EVENT_LENGTH, TIME_ZONE)
    return await loader.add_event(event, TICKETS)


async def _add_screenings(loader: BulkLoader, cinema: Cinema, now: datetime) -> None:
    movie_ids = [await loader.find_movie(movie.title) or await loader.add_movie(movie) for movie in MOVIES]
    zone = ZoneInfo(cinema.time_zone)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    screenings = []
    for room_number, (room_id, _) in enumerate(await loader.rooms(cinema.id)):
        for slot in range(_DAYS * len(_HOURS)):
            day, hour = divmod(slot, len(_HOURS))
            starts_at = datetime.combine(tomorrow + timedelta(days=day), time(_HOURS[hour]), zone)
            choice = (slot + room_number * 2) % len(MOVIES)
            movie = MOVIES[choice]
            ends_at = starts_at + timedelta(minutes=movie.duration_minutes)
            screenings.append(
                NewScreening(
                    *(room_id, movie_ids[choice], movie.title, starts_at, ends_at, _PRICE, movie.language)
                )
            )
    await loader.add_screenings(screenings)


async def _add_examples(rules: DemoRules, upcoming: Sequence[UpcomingScreening], now: datetime) -> None:
    """Set rules in a few screenings; the first one of each room stays without."""
    large = upcoming[0].room_id
    _, strict, reserved, later, *_ = [one for one in upcoming if one.room_id == large]
    _, full, *_ = [one for one in upcoming if one.room_id != large]
    await rules.set_rules(strict.id, orphan_rule="enforce", max_per_user=4)
    await rules.keep_back(reserved.id, "Row C", "press", "C")
    opening = later.starts_at - timedelta(hours=5)
    await rules.set_rules(later.id, sales_start=opening, presales={"fans": now})
    await rules.sell_out(full.id)


async def _members(loader: BulkLoader, passwords: Mapping[str, str]) -> list[Member]:
    """Create or update the demo users with these passwords."""
    members = []
    for login in LOGINS:
        password = passwords[login.email]
        password_hash = await asyncio.to_thread(PasswordHasher().hash, password)
        user_id = await loader.add_user(login.email, login.full_name, password_hash, login.is_admin)
        members.append(Member(user_id, login.email, password, login.is_admin))
    return members
