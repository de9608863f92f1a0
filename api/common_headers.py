"""What every answer says in its head, whoever wrote it."""

from collections.abc import Mapping

REQUEST_ID_HEADER = "X-Request-ID"

COMMON_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "Frontrow",
    "Vary": "Origin, Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}
