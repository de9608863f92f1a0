"""`Idempotency-Key`: a POST that is repeated under its key is answered again, not carried out again.

After draft-ietf-httpapi-idempotency-key-header: a key belongs to its caller; the same key with another
request is 422, with one that is still being processed 409. Only answers that last are kept: what may
turn out otherwise next time (429, 5xx, everything retryable) leaves the key free. A request that is
refused for its shape or its token never reaches this module, so its key stays free as well.

Answers are kept in the database, by the journal: in the transaction of a booking, written behind for
everything else. The most recent ones are in memory too, which also covers those on their way.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from api.bodies import Body
from api.endpoint import Answer
from api.errors import InvalidInput, KeyInFlight, KeyReused, TooManyKeys
from api.limits import Limits
from api.recency import RecentlyUsed
from api.seal import BrokenSeal, Seal
from api.services import IdempotencyLookup, Journal
from engine.records import IdempotencyRecord

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
KEY_LIMIT = 255
_RECORD_OVERHEAD_BYTES = 512

# The draft makes the key a quoted string of structured headers; nearly every client sends it bare.
_KEY = re.compile(rf'"([\x21\x23-\x7e]{{1,{KEY_LIMIT}}})"|([\x21\x23-\x7e]{{1,{KEY_LIMIT}}})')


class KeyedRequest(NamedTuple):
    """A request that must be carried out once.

    Attributes:
        scope: whose key it is.
        key: the caller's key.
        fingerprint: digest of the request.
    """

    scope: str
    key: str
    fingerprint: bytes


class Outcome(NamedTuple):
    """What carrying out a request has come to.

    Attributes:
        lasting: whether a repeat of the request is to be answered the same.
    """

    answer: Answer
    lasting: bool


def parse_key(header: str) -> str:
    """The key in a header's value.

    Raises:
        InvalidInput: it is empty, too long or not visible ASCII.
    """
    match = _KEY.fullmatch(header)
    if match is None:
        raise InvalidInput({KEY_HEADER: [f"Must be 1 to {KEY_LIMIT} visible ASCII characters."]})
    return match[1] or match[2]


def fingerprint_of(method: str, uri: str, body: bytes) -> bytes:
    """Digest of what makes two requests the same: method, path with query, and body, byte for byte."""
    return hashlib.sha256(b"\n".join((method.encode(), uri.encode(), body))).digest()


class IdempotencyKeys:
    """The keys that are known here.

    Args:
        lookup: answers kept in the database.
        journal: keeps answers.
        limits: bounds of the memory.
    """

    def __init__(self, lookup: IdempotencyLookup, journal: Journal, limits: Limits) -> None:
        self._lookup = lookup
        self._journal = journal
        self._limit = limits.keys_in_flight
        self._in_flight: dict[tuple[str, str], bytes] = {}
        self._recent: RecentlyUsed[tuple[str, str], IdempotencyRecord] = RecentlyUsed(
            limits.recent_answers_bytes
        )

    async def once(
        self,
        request: KeyedRequest,
        carry_out: Callable[[], Awaitable[Outcome]],
        seal: Seal | None = None,
    ) -> Answer:
        """Carry a request out unless it has been before.

        Args:
            request: the request.
            carry_out: does the work. It must not be cancelled once it has begun: the key is in flight
                until it returns.
            seal: encrypts what is kept of the answer, if it must not be readable.

        Returns:
            The answer, of now or of then.

        Raises:
            KeyInFlight: the same request is being carried out.
            KeyReused: the key was used for another request.
            TooManyKeys: the bound on requests at work is reached.
            StoreUnavailable: whether the request has been carried out before cannot be found out.
        """
        slot = (request.scope, request.key)
        if (fingerprint := self._in_flight.get(slot)) is not None:
            raise KeyInFlight if fingerprint == request.fingerprint else KeyReused
        if len(self._in_flight) >= self._limit:
            raise TooManyKeys
        self._in_flight[slot] = request.fingerprint
        try:
            record = self._recent.get(slot) or await self._lookup.lookup(*slot)
            if record is not None and (answer := _replayed(record, request.fingerprint, seal)):
                return answer
            outcome = await carry_out()
            if outcome.lasting:
                body = outcome.answer.body.plain
                # orjson's bytes keep the room that they were written in, about 4 KB; a copy has its own size.
                kept = seal.closed(body, request.fingerprint) if seal else bytes(memoryview(body))
                self._keep(IdempotencyRecord(*request, outcome.answer.status, kept))
            return outcome.answer
        finally:
            del self._in_flight[slot]

    def _keep(self, record: IdempotencyRecord) -> None:
        size_bytes = len(record.body) + _RECORD_OVERHEAD_BYTES
        self._recent.put((record.scope, record.key), record, size_bytes)
        # A booking's transaction may have stored it already, or may not, when it was a repeat of its
        # payment that answered; storing it twice is harmless.
        self._journal.remember(record)


def _replayed(record: IdempotencyRecord, fingerprint: bytes, seal: Seal | None) -> Answer | None:
    """The answer as it was given; None if it was sealed with a key that is not in use any more."""
    if record.fingerprint != fingerprint:
        raise KeyReused
    try:
        body = seal.opened(record.body, fingerprint) if seal else record.body
    except BrokenSeal:
        return None
    return Answer(record.status, Body(body), {REPLAYED_HEADER: "true"})
