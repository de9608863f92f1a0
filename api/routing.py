"""Which operation answers a path, found in the same time however many there are.

The only variable parts of the API's paths are decimal ids, so a path is looked up with its numbers
taken out.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from api.endpoint import PLACEHOLDER
from api.fields import LARGEST_ID
from api.operation import Operation

_NUMBER = re.compile(r"(?<=/)[1-9][0-9]*(?=/|$)", re.ASCII)


class Route(NamedTuple):
    """The operations at one path.

    Attributes:
        pattern: the path as it was declared, e.g. "/api/v1/tickets/{ticket_id}".
        operations: by method.
    """

    pattern: str
    operations: Mapping[str, Operation]

    @property
    def methods(self) -> list[str]:
        """Every method that can be used here (RFC 9110, section 10.2.1)."""
        implied = ["HEAD", "OPTIONS"] if "GET" in self.operations else ["OPTIONS"]
        return [*self.operations, *implied]


class Match(NamedTuple):
    """A path that is served.

    Attributes:
        ids: the path's ids, in their order.
    """

    route: Route
    ids: list[int]


class Routes:
    """All paths.

    Args:
        operations: what is served.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        by_path: defaultdict[str, dict[str, Operation]] = defaultdict(dict)
        for operation in operations:
            by_path[operation.endpoint.path][operation.endpoint.method] = operation
        self._routes: dict[str, Route] = {}
        for path, methods in by_path.items():
            key = PLACEHOLDER.sub("{}", path)
            # "/cinemas/" is served as "/cinemas" too: the guide lists it so, and clients vary.
            for spelling in {key, key.rstrip("/") or "/"}:
                self._routes[spelling] = Route(path, methods)

    def find(self, path: str) -> Match | None:
        """What is served at a path; None if nothing is, or if an id in it is beyond 64 bits."""
        if route := self._routes.get(path):
            return Match(route, [])
        route = self._routes.get(_NUMBER.sub("{}", path))
        if route is None:
            return None
        ids = [int(number) for number in _NUMBER.findall(path) if len(number) <= len(str(LARGEST_ID))]
        if len(ids) != route.pattern.count("{") or max(ids) > LARGEST_ID:
            return None
        return Match(route, ids)
