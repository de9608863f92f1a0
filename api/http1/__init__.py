"""HTTP/1.1 for Tornado's handlers, on `asyncio.Protocol` and `httptools`.

Tornado parses headers and copies bytes in Python, which limits it more than its handlers do. This package
implements the interfaces that its handlers are written against (`HTTPConnection`,
`HTTPServerConnectionDelegate`, `HTTPMessageDelegate`), so that they run on it unmodified. After its handshake
(`api.ws.handshake`) a WebSocket takes the transport over.

docs/http.md states what it guarantees.
"""
