"""One example of everything that travels between nodes, and the bytes of each, as they were recorded.

`wire_N.txt` has a line for each kind: its number, its class, and the bytes in hexadecimal. Those of the
present version are written by `python -m tests.cluster.wire_samples`, which does not change a version that
exists.
"""

from pathlib import Path
from typing import Any

from cluster import wire
from cluster.kinds import KINDS
from cluster.long_replies import LongReplies
from cluster.messages import ChangeLeftOut, NotUnderstood, ReadNewSeats, ReplyPart, SeatsUnchanged
from engine import block_errors as blocks
from engine import catalogue_errors as catalogue
from engine import commands, errors, events, moving_errors, replies, rule_errors
from engine import selling_errors as selling
from engine import waitlist_errors as waiting
from engine.errors import EngineError
from engine.handover import Handover, Memory
from engine.records import Arrival, Block, Hold, Layout, Paper, Receipt, Refund, Ticket, TicketStatus
from engine.sale_rules import Window
from engine.seat_states import SeatStatus
from engine.views import SeatMap, SeatsShown, SeatView, StateHashed
from engine.waitlist_records import WaitlistChanged, WaitlistEntry, WaitStatus

NOW = 1_800_000_000.5

LAYOUT = Layout(room_id=5, version=2, seats=())

HOLD = Hold(901, 901, 7, 41, "user:7", NOW, NOW + 600, 1, "two of us", 1250)

TICKET = Ticket(
    801,
    801,
    7,
    42,
    "user:8",
    1250,
    TicketStatus.PENDING,
    NOW,
    payment_id="pay-1",
    payment_deadline=NOW + 900,
    code="K7",
    paper=b"\x00\xff",
    held_at=NOW - 60,
    sold_by="user:1",
    free_because="press",
)

SOLD = Ticket(802, 801, 7, 43, "user:8", 1250, TicketStatus.CONFIRMED, NOW, NOW + 5, code="K8")

MOVED = SOLD._replace(screening_id=9, seat_id=51, paid=(("pay-1", 1250), ("pay-2", 349)))

ARRIVAL = Arrival(9, 4, 31, (MOVED,), (SeatStatus.HELD,), (HOLD,))

FREE = SeatView(44, "available", previous_holder="client:a")

HELD = events.SeatsHeld(
    7, 3, 21, NOW, "user:7", 901, (41, 42), NOW + 600, "n", "tab-1", 98, 100, (1250, 1750), (43,)
)

RELEASED = events.HoldsReleased(7, 3, 22, NOW, "user:7", (HOLD,), (FREE,), 99, 100, "tab-1")

ENTRY = WaitlistEntry(
    *(905, 7, "user:7", 2, NOW, 3, 19, 3, None, True, False, WaitStatus.OFFERED, 901, (-5, -6), NOW + 600)
)

SHOWN = SeatsShown(7, 3, 23, NOW, "tickets_issued", (TICKET, SOLD, HOLD, FREE), 97, 100, None, (HOLD,))

BLOCK = Block(903, 7, "Press", "channel", (44, 45), NOW, "user:1", "press", NOW + 86_400)

BLOCKED = events.SeatsBlocked(7, 3, 29, NOW, "user:1", BLOCK, (44, 45), 96, 100)

UNBLOCKED = events.SeatsUnblocked(7, 3, 30, NOW, events.SYSTEM, BLOCK._replace(seat_ids=()), (44,), 97, 100)

WINDOW = Window(NOW + 60, None)

COMMANDS: tuple[Any, ...] = (
    commands.HoldSeats(7, "user:7", (41, 42), "n", "tab-1", "192.0.2.0/24", ("channel:press",)),
    commands.HoldPlaces(
        7, "session:1", (commands.PlaceOrder(3, 2),), 300.0, "n", "192.0.2.0/24", ("channel:press",)
    ),
    commands.ToggleSeats(7, "user:7", (41, 42), "192.0.2.0", ("channel:press",)),
    commands.ExtendHolds(7, "user:7", (41,), 60.0, 901),
    commands.ReleaseHolds(7, "user:7", None, 901, "tab-1"),
    commands.BookSeats(
        7,
        "user:7",
        (41, 42),
        "pay-1",
        True,
        True,
        Receipt("user:7", "key-1", b"\x01\x02", "tickets"),
        901,
        "user:8",
        (Paper("K7", b"\x00\xff"), Paper("K8", b"")),
        "service:payments",
        3000,
        2001,
        True,
        ("house",),
        "press",
        True,
    ),
    commands.ConfirmTicket(
        7, "user:8", 801, 42, "pay-1", Receipt("user:8", "key-2", b"", "ticket"), "admin:1", 1250
    ),
    commands.CancelTicket(7, "user:8", 801, 42, "admin:1"),
    commands.CancelScreening(7, "admin:1", True),
    commands.ConfirmTickets(
        7, "user:8", (801, 802), (42, 43), "pay-1", Receipt("user:8", "key-2", b"", "ticket"), "admin:1"
    ),
    commands.CancelTickets(7, "user:8", (801, 802), (42, 43), "admin:1"),
    commands.MoveTickets(
        *(7, "user:8", (802,), (43,), (), "pay-2", 349, "service:payments", True, True, ARRIVAL, 3),
        Receipt("user:8", "key-4", b"", "ticket_moved"),
    ),
    commands.ReceiveTickets(9, "user:8", (SOLD,), (51,), True, 3),
    commands.EndArrival(9, 4, 31, (MOVED,)),
    commands.ReleaseLapsed(7),
    commands.ReadSeats(7),
    commands.ReadReservation(7, "user:7", 901),
    commands.ReadStock(7),
    commands.ShowStock(7),
    commands.ReadChanges(7, 3, 20),
    ReadNewSeats(7, 3, 20),
    commands.JoinWaitlist(7, "user:7", 2, 3, True),
    commands.WatchSeat(7, "user:7", 41, True),
    commands.LeaveWaitlist(7, "user:7", 905, "user:1"),
    commands.ReadScarcity(7),
    commands.RevokeHolds(7, "user:8", (41, 42), "user:1"),
    commands.SellSeats(
        *(7, "user:8", (41,), "user:1", "pay-1", Receipt("user:1", "key-3", b"", "tickets"), True),
        ("house",),
        "press",
        "session:1",
    ),
    commands.BlockSeats(7, "user:1", "Press", "channel", (44, 45), None, 0, "press", NOW + 86_400),
    commands.UnblockSeats(7, 903, "user:1", (44,)),
    commands.ReadBlocks(7),
    commands.HoldBest(
        *(7, "user:7", 4, ("standard", "vip"), 2000, True, "Balcony", True, "n", "tab-1", "192.0.2.0/24"),
        ("press",),
    ),
    commands.HoldSeatsFor(7, "user:8", (41, 42), "user:1", "session:1", True, ("house",), "n"),
)

REPLIES: tuple[Any, ...] = (
    HELD,
    events.HoldsExtended(7, 3, 24, NOW, "user:7", (HOLD,), (HOLD,), 98, 100),
    RELEASED,
    replies.Held((HOLD,), (42,)),
    replies.Reserved(((HOLD,), (HOLD, HOLD._replace(id=902, seat_id=-5, note=None)))),
    replies.Toggled(HELD, RELEASED),
    replies.Released(()),
    replies.Booked((TICKET, SOLD)),
    replies.Cancelled(TICKET._replace(status=TicketStatus.CANCELLED, cancelled_at=NOW)),
    replies.Cleared((TICKET._replace(status=TicketStatus.LAPSED),), (HOLD,)),
    replies.Moved((MOVED,)),
    ARRIVAL,
    replies.Lapsed(3),
    SeatMap(
        *(7, 3, 24, LAYOUT),
        {41: SeatView(41, "reserved", "user:7", NOW + 600, None, NOW, "n"), 44: FREE},
        WINDOW,
    ),
    replies.Stock(7, 3, 24, 98, 100, {3: replies.StockLevel(50, 10, 2, 5)}, WINDOW, {3: WINDOW}),
    replies.Changes(3, 24, (HELD, RELEASED, SHOWN), WINDOW),
    SeatsUnchanged(7, 3, 24),
    replies.Waiting(ENTRY, 3),
    replies.Scarcity(7, NOW, 12, (3, 5, 9), {3: (0, 1, 2)}, 4),
    Handover(
        7,
        3,
        24,
        Memory(False, ((41, "user:7", NOW, NOW + 60),), (("session:1", "192.0.2.0/24"),), NOW),
        ((3, 24), (2, 9)),
        "node-a",
    ),
    BLOCKED,
    UNBLOCKED,
    replies.Blocks((replies.BlockLevel(BLOCK, 1, 1),)),
)

CHANGES: tuple[Any, ...] = (
    HELD,
    events.PlacesHeld(7, 3, 25, NOW, "session:1", (HOLD._replace(seat_id=-5),), (), 90, 100),
    REPLIES[1],
    RELEASED,
    events.HoldsExpired(7, 3, 26, NOW, events.SYSTEM, (HOLD,), (FREE,), 99, 100),
    SHOWN,
    ChangeLeftOut(7, 3, 27),
    events.HoldsExpiring(7, 3, 28, NOW, events.SYSTEM, (HOLD,), (), 98, 100),
    BLOCKED,
    UNBLOCKED,
    events.SeatsHeldFor(7, 3, 29, NOW, "user:1", (HOLD,), (HOLD,), 98, 100),
    WaitlistChanged(7, 3, 29, NOW, events.SYSTEM, (ENTRY,), (905,), 98, 100),
    StateHashed(7, 3, 30, NOW, "bb704eb1", 2, 98, 100),
)

REFUSALS: tuple[EngineError, ...] = (
    EngineError("Something is wrong"),
    errors.NotFound("gift_card", "ä-1"),
    errors.Refused("Not now"),
    errors.Unavailable("Later"),
    errors.Overloaded(7),
    errors.JournalFull(),
    errors.IdsExhausted(),
    errors.CommandExpired(),
    errors.OwnershipLost(7, "frontrow 1 a1b2c3d4 12@host"),
    errors.Stopping(),
    errors.StoreUnavailable("The database cannot be reached: no route to host"),
    errors.OutcomeUnknown("ask again"),
    errors.BadEntry("A value is too long"),
    NotUnderstood("command 99"),
    selling.ScreeningNotFound(7),
    selling.SeatsNotFound([41, 42]),
    selling.TicketTypeNotFound(3),
    selling.TicketNotFound(801),
    selling.ScreeningStarted(7, "reserve seats"),
    selling.ScreeningCancelled(7),
    selling.RoomFull(200),
    selling.ScreeningHasBookings(7),
    selling.SeatsUnavailable([41], [42, 43], [43]),
    selling.NoAdjacentSeats(4, 3, split=False),
    selling.ZoneNotFound("Balcony", ("Stalls",)),
    rule_errors.WouldStrandSeat([44], [(41, 44), (45, 46)]),
    selling.HoldLimitExceeded(10, 9, 2),
    selling.GuestLimitExceeded(20, 19, 2),
    selling.HoldLifeSpent("Seat 41", 1800.0, 61.5),
    selling.NotHeld([41]),
    selling.ReservationNotHeld(901),
    selling.NotEnoughTickets(3, 4, 1),
    selling.OrderLimitExceeded(3, 10, 11),
    selling.SalesClosed(3, "sales have not begun", NOW + 60, NOW + 120, 60),
    selling.NothingForSale(7),
    selling.WrongNumberOfPapers(2, 1),
    selling.ExtensionLimitReached([41], "it was extended twice"),
    selling.TicketNotPending(801, TicketStatus.CONFIRMED),
    selling.TicketAdmitted(801, 1_764_340_200.5),
    selling.PaymentAlreadyUsed("pay-1"),
    selling.PriceChanged(2500, 3000),
    selling.RefundRequired(
        Refund(5, "pay-1", 7, None, "user:8", 2550, "seats_unavailable", None),
        selling.SeatsUnavailable([41], []),
    ),
    selling.TooManyRefunds(50),
    selling.RefundUnvouched(5),
    selling.RefundSettled(5, "re_1"),
    selling.BookingInProgress([41]),
    waiting.NotWaiting(905),
    waiting.StillAvailable(2),
    waiting.AlreadyWaiting(905),
    waiting.WaitlistFull(10_000),
    waiting.TooManyWatches(10),
    catalogue.NoAccount(),
    catalogue.UnknownReference("movie_id"),
    catalogue.AlreadyExists("review", "You have reviewed this movie already"),
    catalogue.InUse("cinema", 3),
    catalogue.Overlapping(),
    catalogue.SeatConflict([{"row_label": "A", "seat_number": 1, "x": 1.5, "seat_type": "vip"}]),
    catalogue.SeatsInUse([41, 42]),
    catalogue.CapacityTooLow(3, 10, 8, 4),
    catalogue.IllegalStatusChange(801, "cancelled", "confirmed"),
    catalogue.TicketNotConfirmed(801, "pending"),
    catalogue.NoMailAddress(),
    catalogue.RoomLimitReached(100),
    catalogue.MessageDelivered(5),
    catalogue.WebhookLimitReached(20),
    rule_errors.PersonLimitExceeded(4, 1, 2, 3, 5),
    moving_errors.MovesClosed(7),
    moving_errors.TicketNotMovable(802),
    moving_errors.PaymentRequired(349, vouched=True),
    moving_errors.NothingToPay(),
    moving_errors.MoveInterrupted(),
    errors.AnsweredMeanwhile(),
    rule_errors.NotOnSale("sales have not begun", NOW + 60, None, 60),
    blocks.BlockNotFound(903),
    blocks.BlockLimitReached(1000),
)

PARTS = (ReplyPart(1, 0, b"0123"),)


def encoded() -> dict[tuple[int, str], bytes]:
    """The samples as they are encoded now, by number and name of their class."""
    encodings = [
        *map(wire.encode_command, COMMANDS),
        *map(wire.encode_reply, REPLIES),
        *map(wire.encode_change, CHANGES),
        *map(wire.encode_refusal, REFUSALS),
        LongReplies(part_bytes=4).cut(b"0123456789")[0],
    ]
    return {(data[0], KINDS[data[0]].__name__): data for data in sorted(encodings)}


def path_of(version: int) -> Path:
    return Path(__file__).with_name(f"wire_{version}.txt")


def recorded(version: int) -> dict[tuple[int, str], bytes]:
    """The samples as they were encoded in a version."""
    lines = path_of(version).read_text().splitlines()
    return {(int(kind), name): bytes.fromhex(data) for kind, name, data in map(str.split, lines)}


if __name__ == "__main__":
    with path_of(wire.VERSION).open("x") as file:
        file.writelines(f"{kind} {name} {data.hex()}\n" for (kind, name), data in encoded().items())
