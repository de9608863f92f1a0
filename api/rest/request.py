"""One REST request, as far as operations look at it.

Tornado's own `HTTPServerRequest` parses the query and prepares for forms before anybody asks, which costs
more than deciding a hold. This one has the attributes of the same names that are used here, and parses what
is asked for.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

_QUERY_FIELDS = 100


class Request(NamedTuple):
    """What a client asks for.

    Attributes:
        headers: the header fields.
        uri: path and query.
        query: what follows the question mark.
        body: the content.
        remote_ip: the client's address.
        credentials: the Bearer token of the Authorization field; None where that has none.
    """

    headers: Mapping[str, str]
    uri: str
    query: str
    body: bytes
    remote_ip: str
    credentials: str | None

    @property
    def query_arguments(self) -> dict[str, list[str]]:
        """The query's values by name, in their order.

        Raises:
            ValueError: it is not UTF-8, or has too many fields.
        """
        arguments: dict[str, list[str]] = {}
        if self.query:
            pairs = parse_qsl(
                self.query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS
            )
            for name, value in pairs:
                arguments.setdefault(name, []).append(value)
        return arguments
