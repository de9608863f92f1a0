"""The parsers that are fuzzed: each function takes any bytes, and raises if a promise is broken.

A parser may refuse with its own errors only. What it accepts must mean the same in pieces, after it was
written and read again, and to another parser, where there is one.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import h11
import jwt
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol, ParseFailed

from api.http1 import plain, proxy_protocol
from api.http1.body import ChunkedReader
from api.http1.errors import (
    BodyTooLarge,
    HeadersTooLarge,
    MalformedRequest,
    TargetTooLong,
    VersionNotSupported,
)
from api.http1.head import END_OF_HEAD, RequestHead, parse_head
from api.http1.peer import Peer
from api.http1.trusted_proxies import FORWARDED, X_FORWARDED_FOR, TrustedProxies
from api.identity.tokens import InvalidToken, Tokens
from api.limiter import TokenBucket
from api.limits import Limits
from api.papers.cipher import Cipher
from api.papers.ticket_codes import TicketCodes
from api.rest.cursors import cursor_of, key_of
from api.rest.errors import InvalidCursor
from api.ws.compression import agreed, deflated
from api.ws.frames import COMPRESSED, DEFLATE_TAIL, FINAL, Fault, FrameReader, Opcode, frame, text_of

REFUSED_HEADS = (MalformedRequest, VersionNotSupported, TargetTooLong, HeadersTooLarge)
MESSAGE_BYTES = 1000
BODY_BYTES, TRAILER_BYTES = 5000, 500
NOW = 1_800_000_000
SECRET = "a secret of the fuzzer with enough bytes"

_LIMITS = Limits()
_TOKENS = Tokens(SECRET, clock=lambda: NOW)
_CODES = TicketCodes(bytes(32))
_PROXY = Peer("10.0.0.1", relays=True)
_PROXIES = {
    header: TrustedProxies([ip_network("10.0.0.0/8")], header) for header in (X_FORWARDED_FOR, FORWARDED)
}
_CALL: Any = SimpleNamespace(services=SimpleNamespace(cipher=Cipher(bytes(32))), uri="/api/v1/movies/?page=1")


def head(data: bytes) -> None:
    """The head of a request: as h11 reads it, and as the fast parser does."""
    whole = data.partition(END_OF_HEAD)[0] + END_OF_HEAD
    try:
        parsed = parse_head(whole, _LIMITS)
    except REFUSED_HEADS:
        return
    line = parsed.line
    written = f"{line.method} {line.path} {line.version}\r\n".encode("ascii")
    written += b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in parsed.headers.get_all())
    again = parse_head(written + b"\r\n", _LIMITS)
    assert _meaning(again) == _meaning(parsed)
    if line.version == "HTTP/1.1" and not whole.startswith(b"CONNECT"):
        other = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        other.receive_data(whole)
        event = other.next_event()
        assert isinstance(event, h11.Request)
        assert event.method.decode() == line.method
        names = sorted(name.decode() for name, _ in event.headers)
        assert names == sorted(name.lower() for name, _ in parsed.headers.get_all())
    fields = plain.read_fields(whole.removesuffix(END_OF_HEAD).split(b"\r\n"))
    if fields is not None and fields[plain.HOST] is not None and line.path.startswith("/"):
        assert (fields[plain.LENGTH] or 0) == parsed.content_bytes


def _meaning(parsed: RequestHead) -> object:
    return (
        *parsed.line,
        list(parsed.headers.get_all()),
        parsed.content_bytes,
        parsed.persistent,
        parsed.upgrade,
    )


def chunks(data: bytes) -> None:
    """A chunked body: the same content in one piece and byte by byte."""

    def read(size: int) -> tuple[bytes, bool] | type[Exception]:
        reader, content, at = ChunkedReader(BODY_BYTES, TRAILER_BYTES), b"", 0
        try:
            for end in range(size, len(data) + size, size):
                piece, at = reader.take(data, at, min(end, len(data)))
                content += piece
        except (MalformedRequest, BodyTooLarge) as refusal:
            return type(refusal)
        return content, reader.complete

    whole = read(max(len(data), 1))
    assert read(1) == whole == read(7)
    assert isinstance(whole, type) or len(whole[0]) <= BODY_BYTES


def frames(data: bytes) -> None:
    """Frames of a WebSocket: the same messages in any pieces, and those that wsproto reads."""
    messages, fault = _messages([data])
    assert _messages([data[at : at + 1] for at in range(len(data))]) == (messages, fault)
    if fault is None:
        ours = [payload for opcode, payload in messages if opcode < Opcode.CLOSE]
        theirs, refused = _read_by_wsproto(data)
        assert (ours[: len(theirs)] if refused else ours) == theirs


def _read_by_wsproto(data: bytes) -> tuple[list[bytes], bool]:
    """Return the data messages, and whether wsproto refuses what follows.

    It refuses text that is not UTF-8 before the message is complete, and compression without an agreement.
    """
    other = FrameProtocol(client=False, extensions=[])
    other.receive_bytes(data)
    messages, pieces = [], b""
    try:
        for received in other.received_frames():
            if received.opcode >= Opcode.CLOSE:
                continue
            payload = received.payload
            pieces += payload.encode() if isinstance(payload, str) else bytes(payload)
            if received.message_finished:
                messages.append(pieces)
                pieces = b""
    except ParseFailed:
        return messages, True
    return messages, False


def _messages(pieces: list[bytes]) -> tuple[list[tuple[int, bytes]], int | None]:
    """Return the messages before the first fault, and its close code."""
    reader = FrameReader(TokenBucket(0, 10**9, lambda: 0.0), MESSAGE_BYTES, inflates=True)
    messages: list[tuple[int, bytes]] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (message := reader.message()) is not None:
                assert len(message[1]) <= MESSAGE_BYTES
                if message[0] == Opcode.TEXT:
                    text_of(message[1])
                messages.append((int(message[0]), bytes(message[1])))
    except Fault as fault:
        assert fault.code in (1002, 1007, 1008, 1009)
        return messages, fault.code
    return messages, None


def deflate(data: bytes) -> None:
    """Compressed messages: never more than the limit, what zlib inflates, and back from what we deflate."""
    masked = (
        bytes((FINAL | COMPRESSED | Opcode.BINARY, 0xFE)) + (len(data) & 0xFFFF).to_bytes(2, "big") + bytes(4)
    )
    if len(data) <= MESSAGE_BYTES:
        messages, _ = _messages([masked + data])
        for _, payload in messages:
            assert (
                zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff", MESSAGE_BYTES + 1) == payload
            )
        sent = deflated(frame(FINAL | Opcode.TEXT, data), 1)
        if sent[0] & COMPRESSED:
            at = 2 if sent[1] < 126 else 4
            assert zlib.decompressobj(-15).decompress(sent[at:] + b"\x00\x00\xff\xff") == data
    offers = data.decode("latin-1")
    if agreed(offers):
        PerMessageDeflate().accept(next(offer for offer in offers.split(",") if agreed(offer)))


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data + DEFLATE_TAIL, MESSAGE_BYTES + 1)


def token(data: bytes) -> None:
    """A token as it comes: refused with InvalidToken, or the identity of its claims."""
    with suppress(InvalidToken):
        identity = _TOKENS.verify(data.decode("latin-1"))
        assert jwt.decode(data, SECRET, ["HS256"], options={"verify_exp": False, "verify_iat": False})["sub"]
        assert identity.expires_at > NOW


def claims(data: bytes) -> None:
    """The claims of a token that was signed by somebody who has the key."""
    signed = jwt.api_jws.encode(data, SECRET, "HS256")
    with suppress(InvalidToken):
        identity = _TOKENS.verify(signed)
        assert NOW < identity.expires_at < float("inf")
        assert 0 <= identity.user_id < 2**63
        assert not (identity.admin and identity.service)
        assert bool(identity.user_id) != bool(identity.service)
        assert json.loads(data)["sub"]


def cursor(data: bytes) -> None:
    """The cursor of a list: nobody else can make one, and ours comes back."""
    with suppress(InvalidCursor):
        key_of(_CALL, "title", data.decode("latin-1"))
        raise AssertionError("a cursor was accepted that was never given")
    key = [data.decode("latin-1"), None]
    given = cursor_of(_CALL, "title", key)
    assert key_of(_CALL, "title", given) == key
    with suppress(InvalidCursor):
        key_of(_CALL, "year", given)
        raise AssertionError("a cursor was accepted in another order")


def code(data: bytes) -> None:
    """The QR code of a ticket: nobody else can make one."""
    assert _CODES.contents(data.decode("latin-1")) is None


def forwarded(data: bytes) -> None:
    """The header fields of proxies: an address comes out, whatever a client has sent."""
    value = data.decode("latin-1")
    for header, proxies in _PROXIES.items():
        client = proxies.client(_PROXY, {header: value, "X-Forwarded-Proto": value})
        assert ip_address(client.remote_ip)
        assert client.scheme in (None, "http", "https")
        behind = proxies.client(_PROXY, {header: f"{value}, {'for=' * (header == FORWARDED)}203.0.113.7"})
        assert behind.remote_ip == "203.0.113.7", "a client has hidden its address"


def proxy(data: bytes) -> None:
    """The header of the PROXY protocol."""
    match = proxy_protocol.HEAD.match(data)
    if match is None:
        return
    with suppress(proxy_protocol.MalformedProxyHeader):
        length = proxy_protocol.header_bytes(match[0])
        assert len(match[0]) <= length <= proxy_protocol.HEADER_LIMIT_BYTES
        if length <= len(data) and (source := proxy_protocol.source_of(data[:length])) is not None:
            assert ip_address(source)


Target = Callable[[bytes], None]

TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (head, chunks, frames, deflate, token, claims, cursor, code, forwarded, proxy)
}
"""Targets by name. Cookies have no parser here, because no cookie is read."""
