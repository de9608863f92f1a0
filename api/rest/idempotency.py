"""`Idempotency-Key`: a request that is repeated under its key is answered again, not carried out again.

After draft-ietf-httpapi-idempotency-key-header: a key belongs to its caller; the same key with another
request is 422, with one that is still being processed 409. Only answers that last are kept: what may
turn out otherwise next time (429, 5xx, everything retryable) leaves the key free. A request that is
refused for its shape or its token never reaches this module, so its key stays free as well.

Answers are kept in the database, by the journal: in the transaction of a booking; before the caller is
answered for whatever else must not be done twice; written behind for holds. The most recent ones are in
memory too, which also covers those on their way.

A refusal is kept only if it is certain that no dead server has carried the request out. A transaction of such
a server may still be running when the request is repeated, so the first lookup of the key may find nothing.
But a server decides about a screening only after it has taken it over, which waits for all transactions of
the earlier owner (`persistence.store`). So the key is looked up again after a refusal: by then every
committed transaction has stored its answer, and no other can commit.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from api.bodies import Body
from api.errors import InvalidInput
from api.limits import Limits
from api.papers.seal import BrokenSeal, Seal
from api.recency import RecentlyUsed
from api.rest.endpoint import Answer
from api.rest.errors import KeyInFlight, KeyReused, TooManyKeys
from api.services import IdempotencyLookup, Journal
from engine.records import IdempotencyRecord

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
KEY_LIMIT = 255
_RECORD_OVERHEAD_BYTES = 512
_FIRST_REFUSAL = 400

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
        *,
        stored_first: bool = False,
    ) -> Answer:
        """Carry a request out unless it has been before.

        Args:
            request: the request.
            carry_out: does the work. It must not be cancelled once it has begun: the key is in flight
                until it returns.
            seal: encrypts what is kept of the answer, if it must not be readable.
            stored_first: whether the answer is given only when it has been stored.

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
            if not outcome.lasting:
                return outcome.answer
            if outcome.answer.status >= _FIRST_REFUSAL:
                record = await self._lookup.lookup(*slot)
                if record is not None and (answer := _replayed(record, request.fingerprint, seal)):
                    self._keep_here(record)
                    return answer
            body = outcome.answer.body.plain
            # orjson's bytes keep their whole output buffer, about 4 KB; a copy takes only its own size.
            kept = seal.closed(body, request.fingerprint) if seal else bytes(memoryview(body))
            record = IdempotencyRecord(*request, outcome.answer.status, kept)
            self._keep_here(record)
            # A booking's transaction may have stored it already, or may not, when it was a repeat of its
            # payment that answered; storing it twice is harmless.
            if stored_first:
                await self._stored(record)
            else:
                self._journal.remember(record)
            return outcome.answer
        finally:
            del self._in_flight[slot]

    async def _stored(self, record: IdempotencyRecord) -> None:
        """Return when the answer is stored, or certainly cannot be. The caller is answered in either case."""
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._journal.remember(record, lambda reason: settled.set_result(None))
        await settled

    def _keep_here(self, record: IdempotencyRecord) -> None:
        size_bytes = len(record.body) + _RECORD_OVERHEAD_BYTES
        self._recent.put((record.scope, record.key), record, size_bytes)


def _replayed(record: IdempotencyRecord, fingerprint: bytes, seal: Seal | None) -> Answer | None:
    """The answer as it was given; None if it was sealed with a key that is no longer configured."""
    if record.fingerprint != fingerprint:
        raise KeyReused
    try:
        body = seal.opened(record.body, fingerprint) if seal else record.body
    except BrokenSeal:
        return None
    return Answer(record.status, Body(body), {REPLAYED_HEADER: "true"})
