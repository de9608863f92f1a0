"""HTTP/1.1 for Tornado's handlers, on `asyncio.Protocol` and `httptools`.

Tornado parses headers and copies bytes in Python, which limits it more than its handlers do. This package
implements the interfaces that its handlers are written against (`HTTPConnection`,
`HTTPServerConnectionDelegate`, `HTTPMessageDelegate`), so that they run on it unmodified. After its handshake
(`api.ws.handshake`) a WebSocket takes the transport over.

    head.py        parses and validates the head of a request
    headers.py     the header fields of a request
    body.py        reads bodies, with a length or chunked
    inflow.py      received bytes that wait to be read, bounded
    outflow.py     sends in few writes, at the client's pace
    deadline.py    a timeout that is cheap to move
    phase.py       the phases of a connection
    protocol.py    one connection: its requests in order, and its timeouts
    proxied.py     connections that begin with a PROXY protocol header
    connection.py  one request of it: handlers write their response to this
    refusal.py     the response to a request that reaches no handler
    server.py      listens, counts connections, and shuts down
    host.py        the interfaces between a connection and its server
    errors.py      the errors of this package
    common_headers.py   headers of every response
    trusted_proxies.py  the client's address behind proxies, with forwarded.py and proxy_protocol.py
    tornado_server.py   Tornado's own server, chosen by a setting
    http_server.py      makes one or the other

docs/http.md states what it guarantees.
"""
