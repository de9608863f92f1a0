"""A REST request, as operations see it.

Tornado's `HTTPServerRequest` always parses the query and prepares for forms, which costs more than deciding a
hold. This class has the attributes of it that operations use, and parses the query only on demand.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

_QUERY_FIELDS = 100


class Request(NamedTuple):
    """A request with its complete body.

    Attributes:
        headers: the header fields.
        uri: path and query.
        query: the query, without the question mark.
        body: the content.
        remote_ip: the client's address.
        credentials: the Bearer token in the Authorization field, or None.
    """

    headers: Mapping[str, str]
    uri: str
    query: str
    body: bytes
    remote_ip: str
    credentials: str | None

    @property
    def query_arguments(self) -> dict[str, list[str]]:
        """The query's values by name, in the order of the query.

        Raises:
            ValueError: the query is not UTF-8, or has more than 100 fields.
        """
        arguments: dict[str, list[str]] = {}
        if self.query:
            pairs = parse_qsl(
                self.query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS
            )
            for name, value in pairs:
                arguments.setdefault(name, []).append(value)
        return arguments
