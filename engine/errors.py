"""The base classes of the engine's errors, and the errors that any command can raise.

Errors carry data and a stable code. Codes are part of the public contract: clients switch on them, so a code
is never renamed. `api.rest.errors` decides which HTTP status a code gets.

    EngineError
    ├── NotFound                                             something that was named does not exist
    ├── Refused                                              the present state forbids it
    ├── BadEntry                                             the database rejects its content
    └── Unavailable                                          nothing was done; try again later
        ├── Overloaded, JournalFull, IdsExhausted
        ├── CommandExpired, OwnershipLost, Stopping, AnsweredMeanwhile
        └── StoreUnavailable, OutcomeUnknown

`engine.selling_errors` has the errors of selling seats and tickets, `engine.catalogue_errors` those of the
catalogue.
"""


class EngineError(Exception):
    """A command was rejected and has changed nothing.

    Attributes:
        code: stable machine-readable name of the reason.
        retryable: True if the same command may succeed later.
        detail: the message, unless an error is given its own.
    """

    code = "engine_error"
    retryable = False
    detail = ""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.detail)


class NotFound(EngineError):
    """It does not exist, or the caller may not know that it does.

    Args:
        kind: what was requested, e.g. "cinema"; the code is derived from it.
        record_id: the requested id.
    """

    code = "not_found"

    def __init__(self, kind: str, record_id: int | str) -> None:
        super().__init__(f"{kind.replace('_', ' ').capitalize()} {record_id} not found")
        self.code = f"{kind}_not_found"


class Refused(EngineError):
    """The command is not permitted in the present state."""

    code = "refused"


class Unavailable(EngineError):
    """The command could not be handled now; it may be sent again.

    Attributes:
        retry_after_seconds: how long a client should wait before that.
    """

    code = "unavailable"
    retryable = True
    retry_after_seconds = 1


class Overloaded(Unavailable):
    """Too many commands wait for the screening: in its mailbox, or for it to be loaded or changed."""

    code = "overloaded"

    def __init__(self, screening_id: int) -> None:
        super().__init__("Too many requests are waiting for this screening")
        self.screening_id = screening_id


class JournalFull(Unavailable):
    """The journal has reached its limit because the database is slow or away."""

    code = "journal_full"
    retry_after_seconds = 2
    detail = "The database is not keeping up; nothing was changed"


class IdsExhausted(Unavailable):
    """The reserved ids are used up, and the database has not provided more."""

    code = "ids_exhausted"
    retry_after_seconds = 2
    detail = "The database cannot be reached; nothing was changed"


class CommandExpired(Unavailable):
    """The command was queued for too long and was not carried out."""

    code = "command_expired"
    detail = "The request waited too long and was not carried out"


class OwnershipLost(Unavailable):
    """This server does not own the screening, or not any more; nothing was done.

    Attributes:
        screening_id: the screening.
        owner: the name of the server that owns it; None if that is not known.
    """

    code = "ownership_lost"

    def __init__(self, screening_id: int, owner: str | None = None) -> None:
        super().__init__("Another server has taken this screening over")
        self.screening_id = screening_id
        self.owner = owner


class Stopping(Unavailable):
    """The server is shutting down."""

    code = "stopping"
    detail = "The server is shutting down"


class AnsweredMeanwhile(Unavailable):
    """A repeat of the request, with the same idempotency key, was answered first; nothing was done.

    Sent once more, the request gets the stored answer. Clients are told the same as if the repeat were still
    being processed.
    """

    code = "idempotency_key_in_flight"
    detail = (
        "Another request with this Idempotency-Key was answered meanwhile; send it again to get that answer"
    )


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "store_unavailable"
    retry_after_seconds = 2
    detail = "The database cannot be reached"


class OutcomeUnknown(Unavailable):
    """The server, usually its database, did not finish in time: the command may or may not take effect.

    Args:
        advice: how the caller can find out.
    """

    code = "outcome_unknown"
    retry_after_seconds = 2

    def __init__(self, advice: str = "see whether it has happened before you repeat the request") -> None:
        super().__init__(f"The outcome is not known yet; {advice}")


class BadEntry(EngineError):
    """The database rejected the content of one journal entry; the others of its batch were written."""

    code = "rejected"


def is_final(refusal: EngineError) -> bool:
    """Return whether the same command would be rejected again, and not because of its form."""
    return not refusal.retryable and not isinstance(refusal, BadEntry)


def forget_frames(error: BaseException) -> None:
    """Clear the traceback, cause and context of an exception that has been handled.

    A traceback refers to frames. If one of these refers to the exception (by a variable, a future or a task),
    they form a cycle that only the garbage collector frees. Without the traceback there is no cycle.
    """
    pending = [error]
    while pending:
        dealt_with = pending.pop()
        pending += [earlier for earlier in (dealt_with.__cause__, dealt_with.__context__) if earlier]
        dealt_with.__traceback__ = dealt_with.__cause__ = dealt_with.__context__ = None
