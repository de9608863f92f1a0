"""Which operation answers a path, found in the same time however many there are.

The only variable parts of the API's paths are decimal ids, so a path is looked up with its numbers
taken out.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from api.endpoint import PLACEHOLDER
from api.fields import LARGEST_ID
from api.operation import Operation

_NUMBER = re.compile(r"(?<=/)[1-9][0-9]*(?=/|$)", re.ASCII)
_LONGEST_ID = len(str(LARGEST_ID))


class Route(NamedTuple):
    """The operations at one path.

    Attributes:
        pattern: the path as it was declared, e.g. "/api/v1/tickets/{ticket_id}".
        id_count: how many ids the path has.
        operations: by method.
    """

    pattern: str
    id_count: int
    operations: dict[str, Operation]

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

    Raises:
        ValueError: two operations have the same method and path.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._routes: dict[str, Route] = {}
        for operation in operations:
            method, path = operation.endpoint.method, operation.endpoint.path
            key = PLACEHOLDER.sub("{}", path)
            route = self._routes.get(key) or Route(path, key.count("{}"), {})
            if method in route.operations:
                raise ValueError(f"{method} {path} is declared twice")
            route.operations[method] = operation
            # "/cinemas/" is served as "/cinemas" too: the guide lists it so, and clients vary.
            self._routes[key] = self._routes[key.rstrip("/") or "/"] = route

    def find(self, path: str) -> Match | None:
        """What is served at a path; None if nothing is, or if an id in it is beyond 64 bits."""
        numbers = _NUMBER.findall(path)
        route = self._routes.get(_NUMBER.sub("{}", path) if numbers else path)
        if route is None or len(numbers) != route.id_count:
            return None
        if any(len(number) > _LONGEST_ID or int(number) > LARGEST_ID for number in numbers):
            return None
        return Match(route, [int(number) for number in numbers])
