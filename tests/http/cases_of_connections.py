"""Persistence, pipelining and upgrades of connections."""

from tests.http.conversation import CLOSED, GET, HOST, KEPT, LAST, SMUGGLED, Case, get, post, refused

CONNECTIONS = (
    Case("9.3 connections persist", GET, (200,), KEPT, response_fields={"connection": None}),
    Case("9.3.2 pipelined requests", GET * 3, (200,) * 3, KEPT),
    Case(
        "9.3.2 pipelined request with a body",
        GET + post(b"hello", b"Content-Length: 5") + GET,
        (200,) * 3,
        KEPT,
    ),
    Case("9.6 close", LAST, (200,), CLOSED, response_fields={"connection": "close"}),
    Case(
        "9.6 close in upper case",
        get(b"Connection: CLOSE"),
        (200,),
        CLOSED,
        response_fields={"connection": "close"},
    ),
    Case(
        "9.6 close among other options",
        get(b"Connection: foo, close"),
        (200,),
        CLOSED,
        response_fields={"connection": "close"},
    ),
    Case("9.6 nothing is served after close", LAST + SMUGGLED, (200,), CLOSED),
    Case("9.6 the client closes its sending side", GET, (200,), CLOSED, ends=True),
    Case(
        "9.6 the client closes its sending side after pipelined requests",
        GET * 3,
        (200,) * 3,
        CLOSED,
        ends=True,
    ),
    Case("9.3 HTTP/1.0 closes", get(version=b"HTTP/1.0"), (200,), CLOSED),
    Case(
        "9.3 HTTP/1.0 can persist",
        get(b"Connection: keep-alive", version=b"HTTP/1.0"),
        (200,),
        KEPT,
        response_fields={"connection": "keep-alive"},
    ),
    Case(
        "9.3 HTTP/1.0 can persist, in mixed case",
        get(b"Connection: Keep-Alive, foo", version=b"HTTP/1.0"),
        (200,),
        KEPT,
    ),
    Case(
        "6.1 no chunks for HTTP/1.0",
        get(b"Connection: keep-alive", target=b"/parts", version=b"HTTP/1.0"),
        (200,),
        CLOSED,
        response_fields={"transfer-encoding": None, "connection": "close"},
    ),
    Case(
        "7 chunked response",
        get(target=b"/parts"),
        (200,),
        KEPT,
        response_fields={"transfer-encoding": "chunked", "content-length": None},
    ),
    refused("nothing is served after a refusal", get(b"X-A : 1") + SMUGGLED),
    Case("refusal after a valid request", GET + get(b"X-A : 1") + SMUGGLED, (200, 400), CLOSED),
    Case("RFC 9110 9.3.2 HEAD", b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n", (200,), KEPT),
    Case(
        "RFC 9110 15.3.5 204 has no body",
        get(target=b"/status/204"),
        (204,),
        KEPT,
        response_fields={"transfer-encoding": None},
    ),
    Case(
        "RFC 9110 15.4.5 304 has no body",
        get(target=b"/status/304"),
        (304,),
        KEPT,
        response_fields={"transfer-encoding": None},
    ),
    *[
        Case(
            f"RFC 9110 10.1.1 expectation {form}",
            post(b"", b"Expect: " + value, b"Content-Length: 5"),
            (100,),
            CLOSED,
            ends=True,
        )
        for form, value in (("without its body", b"100-continue"), ("in mixed case", b"100-Continue"))
    ],
    Case(
        "RFC 9110 10.1.1 expectation with its body",
        post(b"hello", b"Expect: 100-continue", b"Content-Length: 5"),
        (200,),
        KEPT,
        {"body": "hello"},
    ),
    Case(
        "RFC 9110 10.1.1 expectation of a request without a body", get(b"Expect: 100-continue"), (200,), KEPT
    ),
    Case(
        "RFC 9110 10.1.1 expectation in HTTP/1.0",
        post(b"", b"Expect: 100-continue", b"Content-Length: 5", version=b"HTTP/1.0"),
        (),
        CLOSED,
        ends=True,
    ),
    Case(
        "RFC 9110 10.1.1 refused expectation",
        post(b"", b"Expect: 100-continue", b"Content-Length: 9999999"),
        (413,),
        CLOSED,
    ),
    Case(
        "RFC 9110 10.1.1 response before the body",
        post(b"", b"Expect: 100-continue", b"Content-Length: 5", target=b"/hasty"),
        (403,),
        CLOSED,
        response_fields={"connection": "close"},
    ),
    Case(
        "RFC 9110 7.8 upgrade to an unknown protocol",
        get(b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        (200,),
        KEPT,
    ),
    Case("RFC 9110 7.8 upgrade missing in Connection", get(b"Upgrade: websocket"), (200,), KEPT),
    Case(
        "RFC 9110 7.8 upgrade over HTTP/1.0",
        get(
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + b"A" * 22 + b"==",
            target=b"/socket",
            version=b"HTTP/1.0",
        ),
        (400,),
        CLOSED,
    ),
    Case(
        "RFC 6455 4.2.1 no key",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", target=b"/socket"),
        (400,),
        KEPT,
    ),
    Case("the client disconnects", b"", (), CLOSED, ends=True),
    Case("the client disconnects within a head", b"GET / HT", (), CLOSED, ends=True),
)
