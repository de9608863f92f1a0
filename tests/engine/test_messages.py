"""Refusals tell people why something was refused, and what to do next."""

from collections.abc import Callable

import pytest

from engine.block_errors import (
    BlockLimitReached,
    BlockNotFound,
)
from engine.catalogue_errors import (
    AlreadyExists,
    CapacityTooLow,
    IllegalStatusChange,
    InUse,
    MessageDelivered,
    NoAccount,
    RoomLimitReached,
    SeatConflict,
    SeatsInUse,
    TicketNotConfirmed,
    UnknownReference,
    WebhookLimitReached,
)
from engine.errors import (
    BadEntry,
    EngineError,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    OwnershipLost,
    Stopping,
    forget_frames,
    is_final,
)
from engine.moving_errors import (
    MovesClosed,
    PaymentRequired,
    TicketNotMovable,
)
from engine.records import Refund
from engine.rule_errors import (
    NotOnSale,
    PersonLimitExceeded,
    WouldStrandSeat,
)
from engine.selling_errors import (
    BookingInProgress,
    ExtensionLimitReached,
    GuestLimitExceeded,
    HoldLifeSpent,
    HoldLimitExceeded,
    NoAdjacentSeats,
    NotEnoughTickets,
    NotHeld,
    NothingForSale,
    OrderLimitExceeded,
    PaymentAlreadyUsed,
    PriceChanged,
    RefundRequired,
    RefundSettled,
    RefundUnvouched,
    ReservationNotHeld,
    RoomFull,
    SalesClosed,
    ScreeningCancelled,
    ScreeningHasBookings,
    ScreeningNotFound,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
    TicketAdmitted,
    TicketNotFound,
    TicketNotPending,
    TicketTypeNotFound,
    TooManyRefunds,
    WrongNumberOfPapers,
    ZoneNotFound,
)
from engine.waitlist_errors import (
    AlreadyWaiting,
    NotWaiting,
    StillAvailable,
    TooManyWatches,
    WaitlistFull,
)

MESSAGES = (
    (lambda: NotFound("ticket_type", 7), "Ticket type 7 not found"),
    (lambda: Overloaded(1), "Too many requests are waiting for this screening"),
    (lambda: OwnershipLost(1), "Another server has taken this screening over"),
    (
        lambda: OutcomeUnknown(),
        "The outcome is not known yet; see whether it has happened before you repeat the request",
    ),
    (lambda: Stopping(), "The server is shutting down"),
    (lambda: Stopping("The server is being replaced"), "The server is being replaced"),
    (lambda: NoAccount(), "You have no account here"),
    (lambda: UnknownReference("room_id"), "room_id does not refer to an existing record"),
    (lambda: AlreadyExists("room", "A room with this name exists"), "A room with this name exists"),
    (lambda: InUse("ticket_type", 7), "Ticket type 7 is in use and cannot be deleted"),
    (lambda: SeatsInUse((3, 4)), "The new room lacks seats that are sold or reserved: [3, 4]"),
    (lambda: CapacityTooLow(7, 10, 8, 4), "A capacity of 10 is too low: 8 are sold and 4 reserved"),
    (
        lambda: IllegalStatusChange(7, "cancelled", "confirmed"),
        "Ticket 7 is cancelled and cannot become confirmed",
    ),
    (lambda: TicketNotConfirmed(7, "pending"), "Ticket 7 is pending"),
    (lambda: RoomLimitReached(100), "There are 100 rooms already; use one of them, or try again later"),
    (lambda: MessageDelivered(7), "Message 7 has been delivered"),
    (lambda: WebhookLimitReached(10), "There are 10 webhooks already; delete one that is not used any more"),
    (
        lambda: MovesClosed(1),
        "Tickets of screening 1 cannot be moved by their holders (any more); an administrator can move them",
    ),
    (
        lambda: TicketNotMovable(7),
        "Ticket 7 cannot be moved there: name a seat_id for a ticket with a seat, and a "
        "ticket_type_id for a ticket of an event",
    ),
    (lambda: PaymentRequired(349), "This costs 3.49 more: pay that, then repeat this with its payment_id"),
    (
        lambda: PaymentRequired(349, vouched=True),
        "This costs 3.49 more: pay that, then its service moves the tickets with the payment_id",
    ),
    (
        lambda: PersonLimitExceeded(6, 2, 1, 4),
        "A person can have at most 6, over all purchases (2 held, 1 bought, 4 requested); 3 more can be had",
    ),
    (
        lambda: PersonLimitExceeded(2, 2, 1, 1, 7),
        "A person can have at most 2, over all purchases (2 held, 1 bought, 1 requested); no more can be had",
    ),
    (
        lambda: WouldStrandSeat((3,), ((4, 5),)),
        "These seats would leave [3] without a free seat beside them; choose [4, 5] instead, or other seats",
    ),
    (
        lambda: WouldStrandSeat((3,), ()),
        "These seats would leave [3] without a free seat beside them; choose others",
    ),
    (lambda: NotOnSale("sales have ended", None, None), "This is not on sale: sales have ended"),
    (lambda: BlockNotFound(7), "Block 7 not found"),
    (
        lambda: BlockLimitReached(50),
        "A screening has at most 50 blocks; release one that is no longer needed",
    ),
    (lambda: NotWaiting(7), "Waitlist entry 7 not found"),
    (lambda: StillAvailable(1), "There is no need to wait: 1 is free; reserve instead"),
    (lambda: StillAvailable(2), "There is no need to wait: 2 are free; reserve instead"),
    (
        lambda: AlreadyWaiting(7),
        "You are waiting for this already; leave the list first to change your request",
    ),
    (lambda: WaitlistFull(20), "The waiting list is full: it has 20 entries; try again later"),
    (
        lambda: TooManyWatches(2),
        "You can be told about 2 seats of a screening at most; withdraw one of your requests first",
    ),
    (lambda: ScreeningNotFound(1), "Screening 1 not found"),
    (lambda: SeatsNotFound((98, 99)), "Seats [98, 99] not found in this screening"),
    (lambda: TicketTypeNotFound(7), "Ticket type 7 not found"),
    (lambda: TicketNotFound(7), "Ticket 7 not found"),
    (lambda: ScreeningStarted(1, "reserve seats"), "Cannot reserve seats for past screenings"),
    (lambda: ScreeningCancelled(1), "Screening 1 has been cancelled"),
    (lambda: RoomFull(100), "A room has at most 100 seats"),
    (lambda: ScreeningHasBookings(1, "; cancel it"), "Tickets are sold for screening 1; cancel it"),
    (
        lambda: SeatsUnavailable((1,), (2, 3), (3,)),
        "Seats [2] are already booked; Seats [3] are kept back by the organiser; Seats [1] are "
        "currently reserved by other users",
    ),
    (lambda: SeatsUnavailable((1,), ()), "Seats [1] are currently reserved by other users"),
    (lambda: SeatsUnavailable((), (2,), (), "; take others"), "Seats [2] are already booked; take others"),
    (
        lambda: NoAdjacentSeats(1, 0, split=False),
        "No such seat is free; try other seat types, a higher price or another section",
    ),
    (
        lambda: NoAdjacentSeats(2, 1, split=False),
        "No 2 such seats are free next to each other; ask for at most 1, or allow two neighbouring "
        'rows with "allow_split": true',
    ),
    (
        lambda: NoAdjacentSeats(6, 4, split=True),
        "No 6 such seats are free in two neighbouring rows; ask for at most 4",
    ),
    (
        lambda: ZoneNotFound("Stalls", ("Balcony", "Box")),
        'The room has no section "Stalls"; its sections are Balcony, Box',
    ),
    (
        lambda: HoldLimitExceeded(10, 8, 3),
        "Cannot hold more than 10 seats per screening (8 held, 3 requested)",
    ),
    (
        lambda: GuestLimitExceeded(4, 3, 2),
        "Guests of one address cannot hold more than 4 seats or tickets of a screening at a time (3"
        " held, 2 requested); buy or release some first, or log in",
    ),
    (
        lambda: HoldLifeSpent("Seat 3", 900.0, 120.0),
        "Seat 3 has been reserved by you for 15 minutes in all; you can reserve it again in 2 minutes",
    ),
    (
        lambda: HoldLifeSpent("Seat 3", 900.0, 121.0),
        "Seat 3 has been reserved by you for 15 minutes in all; you can reserve it again in 3 minutes",
    ),
    (lambda: NotHeld((1, 2)), "Seats [1, 2] are not reserved by you"),
    (lambda: ReservationNotHeld(7), "This reservation is not yours, or has ended"),
    (lambda: NotEnoughTickets(7, 3, 0), "Not enough tickets: 3 requested, 0 tickets are left"),
    (lambda: NotEnoughTickets(7, 3, 1), "Not enough tickets: 3 requested, 1 ticket is left"),
    (lambda: NotEnoughTickets(7, 3, 2), "Not enough tickets: 3 requested, 2 tickets are left"),
    (lambda: OrderLimitExceeded(7, 4, 5), "At most 4 tickets of this type per reservation (5 requested)"),
    (lambda: SalesClosed(7, "sales have ended"), "These tickets are not on sale: sales have ended"),
    (lambda: NothingForSale(1), "The seats of this room are not for sale"),
    (lambda: WrongNumberOfPapers(2, 3), "The reservation is for 2 tickets, and 3 ticket holders are named"),
    (
        lambda: ExtensionLimitReached((1,), "it was extended twice"),
        "Reservation of seats [1] cannot be extended: it was extended twice",
    ),
    (lambda: TicketNotPending(7, "lapsed"), "Ticket 7 is lapsed; only a pending ticket can be paid"),
    (
        lambda: TicketAdmitted(7, 1800000000.0),
        "Ticket 7 has been used at the door; only the organiser can change it now",
    ),
    (
        lambda: PriceChanged(1000, 1250),
        "The total is 12.50, not 10.00 as expected; ask the buyer, then try again with the new total",
    ),
    (lambda: PaymentAlreadyUsed("pi_1"), "This payment has already been used for another booking"),
    (
        lambda: TooManyRefunds(10),
        "10 refunds are owed to you for payments that nobody has verified; they have to be settled "
        "before there can be more",
    ),
    (lambda: RefundSettled(7, "re_1"), "Refund 7 has been settled with the reference re_1"),
    (
        lambda: RefundUnvouched(7),
        "Only the buyer has named this payment: make sure that it has arrived, then repeat this "
        'with "confirm": true',
    ),
    (lambda: BookingInProgress((1, 2)), "A booking of seats [1, 2] is still being written"),
)


@pytest.mark.parametrize(("make", "message"), MESSAGES, ids=range(len(MESSAGES)))
def test_a_refusal_says_why(make: Callable[[], EngineError], message: str) -> None:
    assert str(make()) == message


def test_a_refused_payment_says_that_it_will_be_refunded() -> None:
    refund = Refund(7, "pi_1", 1, None, "user:7", 1250, "not_held", None)
    required = RefundRequired(refund, NotHeld((1,)))
    assert str(required) == "The payment cannot be used and will be refunded"
    assert required.amount == 12.5


def test_amounts_are_in_units_of_the_currency() -> None:
    changed = PriceChanged(1000, 1250)
    assert (changed.expected, changed.actual) == (10.0, 12.5)
    assert PaymentRequired(349).amount == 3.49


def test_what_may_be_repeated_or_was_malformed_is_not_final() -> None:
    assert is_final(NotHeld((1,)))
    assert not is_final(Overloaded(1))
    assert not is_final(BadEntry("a bad row"))


def test_seats_that_differ_are_named() -> None:
    conflict = {"row_label": "A", "seat_number": 3}
    assert str(SeatConflict([conflict])) == "Existing seats differ from the new ones: row A, seat 3"


def test_an_exception_that_was_dealt_with_keeps_nothing_alive() -> None:
    try:
        try:
            raise NotHeld((1,))
        except NotHeld as cause:
            raise TicketNotFound(7) from cause
    except TicketNotFound as refusal:
        error, cause = refusal, refusal.__cause__
        forget_frames(error)
    assert error.__traceback__ is error.__cause__ is error.__context__ is None
    assert cause is not None and cause.__traceback__ is None
