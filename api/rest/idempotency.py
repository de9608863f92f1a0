"""`Idempotency-Key`: a request repeated with the same key gets the same response and is not executed again.

This follows draft-ietf-httpapi-idempotency-key-header. Keys are scoped to their caller. Reusing a key for a
different request gets 422; repeating a request that is still being processed gets 409. Only final responses
are stored: after 429, 5xx and everything retryable the key can be used again. Requests refused for their
shape or their token never reach this module, so their keys stay unused.

Responses are stored in the database: for bookings, and for changes that do not concern the engine
(`Call.kept`), in the transaction of the change; for other durable operations before the response is sent; for
holds write-behind. The most recent responses are in memory too,
including those not written yet.

A refusal is stored only if it is certain that no crashed server has executed the request. A transaction of
such a server may still be running when the request is repeated, so the first lookup of the key may find
nothing. But a server decides about a screening only after it has taken it over, which waits for all
transactions of the previous owner (`persistence.store`). So the key is looked up again after a refusal: by
then every committed transaction has stored its response, and no other can commit.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from api.bodies import Body, compact
from api.errors import InvalidInput
from api.limits import Limits
from api.lru_cache import LruCache
from api.papers.cipher import Cipher, DecryptionFailed
from api.rest.endpoint import Answer
from api.rest.errors import KeyInFlight, KeyReused, TooManyKeys
from api.services import IdempotencyLookup, KeyedRequest, RequestsInFlight
from engine.ports import Journal
from engine.records import IdempotencyRecord

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
KEY_LIMIT = 255
_RECORD_OVERHEAD_BYTES = 700
_FIRST_REFUSAL = 400

# The draft makes the key a quoted string of structured headers; nearly every client sends it bare.
_KEY = re.compile(rf'"([\x21\x23-\x7e]{{1,{KEY_LIMIT}}})"|([\x21\x23-\x7e]{{1,{KEY_LIMIT}}})')


class KeyedAnswer(NamedTuple):
    """The response to a keyed request.

    Attributes:
        answer: the response.
        final: whether repeats of the request get it too.
    """

    answer: Answer
    final: bool


def parse_key(header: str) -> str:
    """The key in a header's value.

    Raises:
        InvalidInput: the key is empty, too long or not visible ASCII.
    """
    match = _KEY.fullmatch(header)
    if match is None:
        raise InvalidInput({KEY_HEADER: [f"Must be 1 to {KEY_LIMIT} visible ASCII characters."]})
    return match[1] or match[2]


def fingerprint_of(method: str, uri: str, body: bytes) -> bytes:
    """Digest of a request's method, path with query, and body."""
    return hashlib.sha256(b"\n".join((method.encode(), uri.encode(), body))).digest()


class KeysInFlight:
    """The requests with an idempotency key that are being processed, one per key.

    Args:
        limit: most requests.

    Attributes:
        limit: most requests.
        stored_first: whether every response has to be stored before it is sent. That is so if other nodes
            process requests, which only know what is stored.
    """

    stored_first = False

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._fingerprints: dict[tuple[str, str], bytes] = {}

    def begin(self, request: KeyedRequest) -> None:
        """Begin to process a request; call `end` afterwards.

        Raises:
            KeyInFlight: the same request is being processed.
            KeyReused: a different request with this key is being processed.
            TooManyKeys: too many requests with keys are being processed.
        """
        slot = (request.scope, request.key)
        if (fingerprint := self._fingerprints.get(slot)) is not None:
            raise KeyInFlight if fingerprint == request.fingerprint else KeyReused
        if len(self._fingerprints) >= self.limit:
            raise TooManyKeys
        self._fingerprints[slot] = request.fingerprint

    def end(self, request: KeyedRequest) -> None:
        """End the processing of a request that was begun."""
        del self._fingerprints[request.scope, request.key]


class IdempotencyKeys:
    """Executes requests once per idempotency key.

    Args:
        lookup: finds responses in the database.
        journal: stores responses.
        in_flight: the requests that are being processed.
        limits: limits of the cache.
    """

    def __init__(
        self,
        lookup: IdempotencyLookup,
        journal: Journal,
        in_flight: RequestsInFlight,
        limits: Limits,
    ) -> None:
        self._lookup = lookup
        self._journal = journal
        self._in_flight = in_flight
        self._recent: LruCache[tuple[str, str], IdempotencyRecord] = LruCache(limits.recent_answers_bytes)

    async def once(
        self,
        request: KeyedRequest,
        carry_out: Callable[[], Awaitable[KeyedAnswer]],
        cipher: Cipher | None = None,
        *,
        stored_first: bool = False,
    ) -> Answer:
        """Execute a request, unless it was executed before.

        Args:
            request: the request.
            carry_out: executes it. It must not be cancelled after it has started: the key is in flight until
                it returns.
            cipher: encrypts the stored body, if it holds personal data.
            stored_first: whether to return only after the response has been stored.

        Returns:
            The response, new or stored.

        Raises:
            KeyInFlight: the same request is being processed.
            KeyReused: the key was used for a different request.
            TooManyKeys: too many requests with keys are being processed.
            Unavailable: the database, or the node that keeps the key, cannot be asked whether the request is
                being executed or was before.
        """
        if (begun := self._in_flight.begin(request)) is not None:
            await begun
        slot = (request.scope, request.key)
        try:
            record = self._recent.get(slot) or await self._lookup.lookup(*slot)
            if record is not None and (answer := _replayed(record, request.fingerprint, cipher)):
                return answer
            executed = await carry_out()
            if not executed.final:
                return executed.answer
            if executed.answer.status >= _FIRST_REFUSAL:
                record = await self._lookup.lookup(*slot)
                if record is not None and (answer := _replayed(record, request.fingerprint, cipher)):
                    self._cache(record)
                    return answer
            record = record_of(request, executed.answer, cipher)
            self._cache(record)
            # The transaction of the change may have stored the response already, but not if the request was
            # a repeat of the same payment, or has changed nothing. Storing it twice is harmless.
            if stored_first or self._in_flight.stored_first:
                await self._stored(record)
            else:
                self._journal.remember(record)
            return executed.answer
        finally:
            self._in_flight.end(request)

    async def _stored(self, record: IdempotencyRecord) -> None:
        """Wait until the response is stored or storing it has failed; the caller gets it in either case."""
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._journal.remember(record, lambda reason: settled.set_result(None))
        await settled

    def _cache(self, record: IdempotencyRecord) -> None:
        size_bytes = len(record.body) + _RECORD_OVERHEAD_BYTES
        self._recent.put((record.scope, record.key), record, size_bytes)


def record_of(request: KeyedRequest, answer: Answer, cipher: Cipher | None) -> IdempotencyRecord:
    """Return what is stored for repeats of a request.

    Args:
        request: the request.
        answer: the response to it.
        cipher: encrypts the body, if it holds personal data.
    """
    body = answer.body.plain
    kept = cipher.encrypt(body, request.fingerprint) if cipher else compact(body)
    return IdempotencyRecord(*request, answer.status, kept)


def _replayed(record: IdempotencyRecord, fingerprint: bytes, cipher: Cipher | None) -> Answer | None:
    """The stored response; None if it is encrypted with a key that is no longer configured.

    Raises:
        KeyReused: the record belongs to a different request.
    """
    if record.fingerprint != fingerprint:
        raise KeyReused
    try:
        body = cipher.decrypt(record.body, fingerprint) if cipher else record.body
    except DecryptionFailed:
        return None
    return Answer(record.status, Body(body), {REPLAYED_HEADER: "true"})
