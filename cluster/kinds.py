"""The number of every kind of message between nodes. It is the first byte of the encoded message.

A number is never changed or used again, since nodes of two releases run side by side: give a new class the
next free number of its table, and move the number of a class that is gone to `RETIRED`.
"""

from collections.abc import Mapping

from cluster import messages
from engine import block_errors as blocks
from engine import catalogue_errors as catalogue
from engine import commands, errors, events, handover, moving_errors, replies, rule_errors, views
from engine import selling_errors as selling
from engine import waitlist_errors as waiting
from engine.errors import EngineError
from engine.records import Arrival, Hold, Ticket
from engine.waitlist_records import WaitlistChanged

COMMANDS: Mapping[int, type] = {
    1: commands.HoldSeats,
    2: commands.HoldPlaces,
    3: commands.ToggleSeats,
    4: commands.ExtendHolds,
    5: commands.ReleaseHolds,
    6: commands.BookSeats,
    7: commands.ConfirmTicket,
    8: commands.CancelTicket,
    9: commands.CancelScreening,
    10: commands.ReleaseLapsed,
    11: commands.ReadSeats,
    12: commands.ReadReservation,
    13: commands.ReadStock,
    14: commands.ShowStock,
    15: commands.ReadChanges,
    16: messages.ReadNewSeats,
    17: commands.RevokeHolds,
    18: commands.SellSeats,
    19: commands.ConfirmTickets,
    20: commands.CancelTickets,
    21: commands.BlockSeats,
    22: commands.UnblockSeats,
    23: commands.ReadBlocks,
    24: commands.HoldBest,
    25: commands.HoldSeatsFor,
    160: commands.JoinWaitlist,
    161: commands.WatchSeat,
    162: commands.LeaveWaitlist,
    163: commands.ReadScarcity,
    27: commands.MoveTickets,
    28: commands.ReceiveTickets,
    29: commands.EndArrival,
}

CHANGES: Mapping[int, type] = {
    30: events.SeatsHeld,
    31: events.PlacesHeld,
    32: events.HoldsExtended,
    33: events.HoldsReleased,
    34: events.HoldsExpired,
    35: views.SeatsShown,
    36: messages.ChangeLeftOut,
    37: events.HoldsExpiring,
    38: events.SeatsBlocked,
    39: events.SeatsUnblocked,
    59: events.SeatsHeldFor,
    164: WaitlistChanged,
    167: views.StateHashed,
}

REPLIES: Mapping[int, type] = {
    **{kind: CHANGES[kind] for kind in (30, 32, 33, 38, 39)},
    40: replies.Held,
    41: replies.Reserved,
    42: replies.Toggled,
    43: replies.Released,
    44: replies.Booked,
    45: replies.Cancelled,
    46: replies.Cleared,
    47: replies.Lapsed,
    48: views.SeatMap,
    49: replies.Stock,
    50: replies.Changes,
    51: messages.SeatsUnchanged,
    53: handover.Handover,
    54: replies.Blocks,
    165: replies.Waiting,
    166: replies.Scarcity,
    60: replies.Moved,
    61: Arrival,
}

PARTS: Mapping[int, type] = {52: messages.ReplyPart}

SHOWN: Mapping[int, type] = {56: Hold, 57: Ticket, 58: views.SeatView}
"""The records in a change. A message has any number of them, all of one kind."""

REFUSALS: Mapping[int, type[EngineError]] = {
    64: errors.EngineError,
    65: errors.NotFound,
    66: errors.Refused,
    67: errors.Unavailable,
    68: errors.Overloaded,
    69: errors.JournalFull,
    70: errors.IdsExhausted,
    71: errors.CommandExpired,
    72: errors.OwnershipLost,
    73: errors.Stopping,
    74: errors.StoreUnavailable,
    75: errors.OutcomeUnknown,
    76: errors.BadEntry,
    180: errors.AnsweredMeanwhile,
    77: messages.NotUnderstood,
    80: selling.ScreeningNotFound,
    81: selling.SeatsNotFound,
    82: selling.TicketTypeNotFound,
    83: selling.TicketNotFound,
    84: selling.ScreeningStarted,
    85: selling.ScreeningCancelled,
    86: selling.RoomFull,
    87: selling.ScreeningHasBookings,
    88: selling.SeatsUnavailable,
    89: selling.HoldLimitExceeded,
    90: selling.GuestLimitExceeded,
    91: selling.HoldLifeSpent,
    92: selling.NotHeld,
    93: selling.ReservationNotHeld,
    94: selling.NotEnoughTickets,
    95: selling.OrderLimitExceeded,
    96: selling.SalesClosed,
    97: selling.NothingForSale,
    98: selling.WrongNumberOfPapers,
    99: selling.ExtensionLimitReached,
    100: selling.TicketNotPending,
    101: selling.PaymentAlreadyUsed,
    102: selling.RefundRequired,
    103: selling.BookingInProgress,
    104: selling.PriceChanged,
    105: selling.TooManyRefunds,
    106: selling.RefundUnvouched,
    107: selling.RefundSettled,
    108: selling.NoAdjacentSeats,
    109: selling.ZoneNotFound,
    170: waiting.NotWaiting,
    171: waiting.StillAvailable,
    172: waiting.AlreadyWaiting,
    173: waiting.WaitlistFull,
    174: waiting.TooManyWatches,
    110: catalogue.NoAccount,
    111: catalogue.UnknownReference,
    112: catalogue.AlreadyExists,
    113: catalogue.InUse,
    114: catalogue.Overlapping,
    115: catalogue.SeatConflict,
    116: catalogue.SeatsInUse,
    117: catalogue.CapacityTooLow,
    118: catalogue.IllegalStatusChange,
    119: catalogue.TicketNotConfirmed,
    120: catalogue.NoMailAddress,
    121: catalogue.RoomLimitReached,
    122: catalogue.MessageDelivered,
    123: catalogue.WebhookLimitReached,
    124: selling.TicketAdmitted,
    140: rule_errors.PersonLimitExceeded,
    141: rule_errors.NotOnSale,
    130: blocks.BlockNotFound,
    131: blocks.BlockLimitReached,
    142: rule_errors.WouldStrandSeat,
    150: moving_errors.MovesClosed,
    151: moving_errors.TicketNotMovable,
    152: moving_errors.PaymentRequired,
    153: moving_errors.NothingToPay,
    154: moving_errors.MoveInterrupted,
}

KINDS: Mapping[int, type] = {**COMMANDS, **CHANGES, **REPLIES, **PARTS, **SHOWN, **REFUSALS}

RETIRED: frozenset[int] = frozenset()
"""Numbers of classes that no longer exist."""
