"""Random events of two screenings, as an owner could decide them between two batches of the journal."""

import random
from itertools import count
from typing import Any

from engine.causes import Cause
from engine.events import (
    SeatsHeldFor,
    StateStored,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsGivenBack,
    TicketsIssued,
    TicketsLapsed,
)
from engine.records import Hold, Owed, Ticket, TicketStatus
from engine.waitlist_records import WaitStatus
from tests.ports.adapters import NOW, Hall
from tests.ports.story import ALICE, BOB, Story

ACTORS = ("system", ALICE, BOB, "service:payments", "provider:stripe")
SEATS = 6


class History:
    """Random events of two screenings, as an owner could decide them between two batches."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stories = [
            Story(Hall(number, tuple(range(10 * number, 10 * number + SEATS))), 2 + number)
            for number in (1, 2)
        ]
        self.holds: dict[int, list[Hold]] = {1: [], 2: []}
        self.blocks: list[Any] = []
        self.waiting: list[Any] = []
        self.events: list[Any] = []
        self.causes: dict[int, Cause] = {}
        self.numbers = count(1)
        kinds = [name for name in dir(self) if name.startswith("add_")]
        for _ in range(self.chance.randint(1, 14)):
            if (event := getattr(self, self.chance.choice(kinds))()) is not None:
                self.keep(event)

    def keep(self, event: Any) -> None:
        self.events.append(event)
        if self.chance.random() < 0.5:
            number = next(self.numbers)
            trace = self.chance.choice((None, f"trace-{number}"))
            self.causes[id(event)] = Cause(f"request-{number}", trace)

    @property
    def story(self) -> Story:
        return self.chance.choice(self.stories)

    def some(self, things: list[Any]) -> list[Any]:
        return self.chance.sample(things, self.chance.randint(1, min(3, len(things)))) if things else []

    def by(self, event: Any) -> Any:
        # The system sells nothing.
        actors = ACTORS[1:] if isinstance(event, TicketsIssued) else ACTORS
        return event._replace(actor=self.chance.choice((event.actor, *actors)))

    def add_seats_held(self) -> Any:
        event = self.story.held_together(*self.some(list(range(SEATS))), note=self.chance.choice((None, "n")))
        self.holds[event.screening_id] += event.holds
        return event

    def add_places_held(self) -> Any:
        story = self.story
        holds = [story.hold(seat, self.chance.choice((ALICE, BOB))) for seat in self.some(list(range(SEATS)))]
        event = story.held(*holds, *([] if len(holds) > 1 else [story.hold(0, holds[0].holder)]))
        self.holds[event.screening_id] += event.holds
        if self.chance.random() < 0.5:
            return event
        return self.by(SeatsHeldFor(*event))

    def add_end_of_holds(self) -> Any:
        story = self.story
        open_holds = self.holds[story.hall.screening_id]
        if not (holds := self.some(open_holds)):
            return None
        for hold in holds:
            open_holds.remove(hold)
        match self.chance.choice("rexc"):
            case "r":
                return self.by(story.released(*holds))
            case "e":
                later = [
                    hold._replace(expires_at=hold.expires_at + 60, extensions=hold.extensions + 1)
                    for hold in holds
                ]
                open_holds += later
                return self.by(story.extended(*later))
            case "x":
                return story.expired(*holds)
        return self.by(story.issued(self.tickets(story, len(holds)), tuple(holds)))

    def tickets(self, story: Story, number: int) -> tuple[Ticket, ...]:
        chance, name = self.chance, next(self.numbers)
        tickets = story.tickets(
            *[chance.randrange(SEATS) for _ in range(number)],
            holder=chance.choice((ALICE, BOB)),
            payment_id=chance.choice((None, f"pay-{name}", f"counter:{name}")),
            pending_until=chance.choice((None, NOW + 900)),
        )
        paper = chance.choice((None, None, b"paper"))
        free_because = chance.choice((None, "press"))
        return tuple(
            ticket._replace(
                code=f"code-{ticket.id}" if paper else None,
                paper=paper,
                price_cents=1000 + ticket.id,
                held_at=NOW - 5,
                sold_by=f"sold-{name}",
                free_because=free_because,
            )
            for ticket in tickets
        )

    def add_tickets(self) -> Any:
        story = self.story
        return self.by(story.issued(self.tickets(story, self.chance.randint(1, 3))))

    def add_ticket_with_half_a_paper(self) -> Any:
        story = self.story
        (ticket,) = self.tickets(story, 1)
        code, paper = self.chance.choice((("code", None), (None, b"paper")))
        return story.issued((ticket._replace(code=code, paper=paper),))

    def add_change_of_tickets(self) -> Any:
        story = self.story
        tickets = self.tickets(story, self.chance.randint(1, 3))
        kind, status = self.chance.choice(
            (
                (TicketsCancelled, TicketStatus.CANCELLED),
                (TicketsGivenBack, TicketStatus.CANCELLED),
                (TicketsLapsed, TicketStatus.LAPSED),
                (TicketsConfirmed, TicketStatus.CONFIRMED),
            )
        )
        if self.chance.random() < 0.3:
            # Tickets of one payment in several events.
            tickets = tuple(ticket._replace(payment_id="shared") for ticket in tickets)
        if self.chance.random() < 0.3:
            tickets = tuple(ticket._replace(holder=f"user:{ticket.id}") for ticket in tickets)
        *head, _, statuses, converted = story.issued(tickets)
        changed = tuple(ticket._replace(status=status) for ticket in tickets)
        return self.by(kind(*head, changed, statuses, converted))

    def add_move(self) -> Any:
        story, other = self.stories if self.chance.random() < 0.5 else reversed(self.stories)
        tickets = [
            ticket._replace(payment_id=f"first-{ticket.id}")
            for ticket in self.tickets(story, self.chance.randint(1, 2))
        ]
        after = [
            other.there(ticket, self.chance.randrange(SEATS), 900 + ticket.id % 50) for ticket in tickets
        ]
        owed = tuple(
            Owed(ticket.id, f"first-{ticket.id}", cents)
            for ticket in tickets
            for cents in range(ticket.id % 3)
        )
        moved = other.moved(
            *zip(tickets, after, strict=True),
            payment_id=self.chance.choice((None, f"move-{next(self.numbers)}", "shared")),
            owed=owed,
            by_hand=self.chance.random() < 0.5,
        )
        holds = self.holds[moved.screening_id]
        if holds and self.chance.random() < 0.5:
            moved = moved._replace(converted=(holds.pop(),))
        self.keep(self.by(story.left(*tickets)))
        return self.by(moved)

    def add_block(self) -> Any:
        event = self.story.blocked(
            *self.some(list(range(SEATS))), release_at=self.chance.choice((None, NOW + 50))
        )
        self.blocks.append(event.block)
        return event

    def add_release_of_block(self) -> Any:
        if not self.blocks:
            return None
        block = self.chance.choice(self.blocks)
        self.blocks.remove(block)
        story = self.stories[block.screening_id - 1]
        first = story.hall.seat_ids[0]
        gone = [seat_id - first for seat_id in block.seat_ids][: self.chance.choice((1, 3))]
        event = story.unblocked(block, *gone)
        if event.block.seat_ids:
            self.blocks.append(event.block)
        return event

    def add_waitlist(self) -> Any:
        story, chance = self.story, self.chance
        entries = [entry for entry in self.waiting if entry.screening_id == story.hall.screening_id][:2]
        self.waiting = [entry for entry in self.waiting if entry not in entries]
        entries.append(story.waiting(ALICE))
        changed = [
            entry._replace(
                status=chance.choice(tuple(WaitStatus)),
                seat_ids=chance.choice(((), (3, 4))),
                expires_at=chance.choice((None, NOW)),
            )
            for entry in entries
        ]
        self.waiting += changed
        event = story.waitlist(*changed)
        return event._replace(news=tuple(entry.id for entry in changed if chance.random() < 0.5))

    def add_digest(self) -> Any:
        event = self.story.held_together(0)
        return StateStored(*event[:4], next(self.numbers), 12345)
