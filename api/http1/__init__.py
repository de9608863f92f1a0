"""HTTP/1.1 for Tornado's handlers, on `asyncio.Protocol` and `httptools`.

Tornado parses headers and moves bytes in Python; that, not its handlers, is what limits it. This package
implements the interfaces that its handlers stand on (`HTTPConnection`, `HTTPServerConnectionDelegate`,
`HTTPMessageDelegate`), so that they run on it unmodified. A WebSocket takes the transport over after its
handshake (`api.ws.handshake`).

    head.py        octets of a request's head → a checked head, or a refusal
    headers.py     header fields as handlers read them
    body.py        octets of a body → its content, or a refusal
    inflow.py      what has come and waits to be read, bounded
    outflow.py     what goes out, in few writes, at the client's pace
    deadline.py    a timer that costs nothing to move
    phase.py       the phases of a connection
    protocol.py    one client's connection: whose turn it is, and how long it may take
    proxied.py     the PROXY protocol's header before a connection
    connection.py  one request's side of it: what handlers write their answer to
    refusal.py     the answer to what is no acceptable request
    server.py      listening, and going down
    host.py        what a connection and its server know of each other
    errors.py      what is refused as HTTP
    common_headers.py   what every answer carries, whoever wrote it
    trusted_proxies.py  the client's address behind proxies, by forwarded.py and proxy_protocol.py
    tornado_server.py   Tornado's own server in this one's place, by setting
    http_server.py      makes the one or the other

What it promises stands in docs/http.md.
"""
