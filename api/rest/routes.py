"""Finds the operation for a path, in a time that does not grow with the number of operations.

Most variable parts of the API's paths are decimal ids, so a path is first looked up in a dict with its
numbers replaced by placeholders. Paths with text parameters, such as a room's name, are matched segment by
segment; fixed segments take precedence over parameters.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from api.rest.endpoint import PLACEHOLDER
from api.rest.fields import LARGEST_ID
from api.rest.operation import Operation

TEXT_LIMIT = 200
"""Longest text parameter in a path, in characters; paths with a longer one are not found."""

_NUMBER = re.compile(r"(?<=/)[1-9][0-9]*(?=/|$)", re.ASCII)
_LONGEST_ID = len(str(LARGEST_ID))
_PATHS_KEPT = 4096


class Route(NamedTuple):
    """The operations at one path.

    Attributes:
        pattern: the declared path, e.g. "/api/v1/tickets/{ticket_id}".
        parameter_count: number of parameters in the path.
        operations: the operations by method.
    """

    pattern: str
    parameter_count: int
    operations: dict[str, Operation]

    @property
    def methods(self) -> list[str]:
        """All methods allowed at the path, including HEAD and OPTIONS (RFC 9110, section 10.2.1)."""
        implied = ["HEAD", "OPTIONS"] if "GET" in self.operations else ["OPTIONS"]
        return [*self.operations, *implied]


class Match(NamedTuple):
    """A route that matches a path.

    Attributes:
        parameters: the values of the path's parameters, in their order.
    """

    route: Route
    parameters: Sequence[int | str]


class _Segment:
    """A node of the tree of paths with text parameters."""

    __slots__ = ("fixed", "route", "text")

    def __init__(self) -> None:
        self.fixed: dict[str, _Segment] = {}
        self.text: _Segment | None = None
        self.route: Route | None = None

    def child(self, declared: str) -> "_Segment":
        """Return the node for a segment of a declared path, and create it if necessary."""
        if PLACEHOLDER.fullmatch(declared):
            self.text = self.text or _Segment()
            return self.text
        return self.fixed.setdefault(declared, _Segment())


class Routes:
    """All routes.

    Args:
        operations: all operations.

    Raises:
        ValueError: two operations have the same method and path.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        # Clients request the same paths again and again.
        self.find = lru_cache(_PATHS_KEPT)(self._find)
        self._routes: dict[str, Route] = {}
        self._texts = _Segment()
        for operation in operations:
            path = operation.endpoint.path
            # "/cinemas/" is served as "/cinemas" too, and the other way round: the guides list both, and
            # clients vary. Pages are not: their other spelling is a redirect.
            without = path.rstrip("/")
            spellings = dict.fromkeys((path, without or "/"))
            if path.startswith("/api/"):
                spellings[f"{without}/"] = None
            if operation.endpoint.text_parameters:
                self._add_text_route([self._node(spelling) for spelling in spellings], operation)
            else:
                self._add([PLACEHOLDER.sub("{}", spelling) for spelling in spellings], operation)

    def _find(self, path: str) -> Match | None:
        """The route that matches a path. Call it as `find`, which caches the results.

        Returns:
            None if no route matches, an id exceeds 63 bits, or a text is longer than `TEXT_LIMIT`.
        """
        numbers = _NUMBER.findall(path)
        route = self._routes.get(_NUMBER.sub("{}", path) if numbers else path)
        if route is None or len(numbers) != route.parameter_count:
            return self._find_text(path)
        if any(len(number) > _LONGEST_ID or int(number) > LARGEST_ID for number in numbers):
            return None
        return Match(route, [int(number) for number in numbers])

    def _add(self, keys: Sequence[str], operation: Operation) -> None:
        route = _with(self._routes.get(keys[0]), operation)
        self._routes.update(dict.fromkeys(keys, route))

    def _add_text_route(self, nodes: Sequence[_Segment], operation: Operation) -> None:
        route = _with(nodes[0].route, operation)
        for node in nodes:
            node.route = route

    def _node(self, path: str) -> _Segment:
        """Return the node for a declared path, and create it if necessary."""
        segment = self._texts
        for declared in path.split("/"):
            segment = segment.child(declared)
        return segment

    def _find_text(self, path: str) -> Match | None:
        segment, texts = self._texts, []
        for part in path.split("/"):
            child = segment.fixed.get(part)
            if child is None:
                text = _decoded(part)
                if segment.text is None or text is None:
                    return None
                texts.append(text)
                child = segment.text
            segment = child
        return Match(segment.route, texts) if segment.route else None


def _with(route: Route | None, operation: Operation) -> Route:
    """Add an operation to a route, or create the route."""
    endpoint = operation.endpoint
    if route is None:
        return Route(endpoint.path, len(endpoint.path_parameters), {endpoint.method: operation})
    if endpoint.method in route.operations:
        raise ValueError(f"{endpoint.method} {endpoint.path} is declared twice")
    route.operations[endpoint.method] = operation
    return route


def _decoded(part: str) -> str | None:
    """The text of a percent-encoded segment (RFC 3986, section 2.1); None if it is not a valid parameter."""
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= TEXT_LIMIT and "\x00" not in text else None
