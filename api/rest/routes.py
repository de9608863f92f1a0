"""Which operation answers a path, found in the same time however many there are.

Most variable parts of the API's paths are decimal ids, so a path is first looked up with its numbers taken
out. Paths that have text in them, such as a room's name, are found segment by segment; what is fixed in a
path wins over what is variable.
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
"""Characters that a text in a path may have; a longer one names nothing."""

_NUMBER = re.compile(r"(?<=/)[1-9][0-9]*(?=/|$)", re.ASCII)
_LONGEST_ID = len(str(LARGEST_ID))
_PATHS_KEPT = 4096


class Route(NamedTuple):
    """The operations at one path.

    Attributes:
        pattern: the path as it was declared, e.g. "/api/v1/tickets/{ticket_id}".
        parameter_count: how many ids, or texts, the path has.
        operations: by method.
    """

    pattern: str
    parameter_count: int
    operations: dict[str, Operation]

    @property
    def methods(self) -> list[str]:
        """Every method that can be used here (RFC 9110, section 10.2.1)."""
        implied = ["HEAD", "OPTIONS"] if "GET" in self.operations else ["OPTIONS"]
        return [*self.operations, *implied]


class Match(NamedTuple):
    """A path that is served.

    Attributes:
        parameters: the path's ids, or its texts, in their order.
    """

    route: Route
    parameters: Sequence[int | str]


class _Segment:
    """What may stand at one place of paths that have text in them, and what follows it."""

    __slots__ = ("fixed", "route", "text")

    def __init__(self) -> None:
        self.fixed: dict[str, _Segment] = {}
        self.text: _Segment | None = None
        self.route: Route | None = None

    def following(self, declared: str) -> "_Segment":
        """What follows a segment as it is declared."""
        if PLACEHOLDER.fullmatch(declared):
            self.text = self.text or _Segment()
            return self.text
        return self.fixed.setdefault(declared, _Segment())


class Routes:
    """All paths.

    Args:
        operations: what is served.

    Raises:
        ValueError: two operations have the same method and path.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        # What clients ask for repeats itself, and to forget it costs no more than to find it again.
        self.find = lru_cache(_PATHS_KEPT)(self._find)
        self._routes: dict[str, Route] = {}
        self._texts = _Segment()
        for operation in operations:
            path = operation.endpoint.path
            # "/cinemas/" is served as "/cinemas" too: the guide lists it so, and clients vary.
            places = dict.fromkeys((path, path.rstrip("/") or "/"))
            if operation.endpoint.text_parameters:
                self._serve_text([self._place(place) for place in places], operation)
            else:
                self._serve([PLACEHOLDER.sub("{}", place) for place in places], operation)

    def _find(self, path: str) -> Match | None:
        """What is served at a path; to be called as `find`, which remembers.

        Returns:
            None if nothing is, or if an id in it is beyond 64 bits, or a text beyond `TEXT_LIMIT`.
        """
        numbers = _NUMBER.findall(path)
        route = self._routes.get(_NUMBER.sub("{}", path) if numbers else path)
        if route is None or len(numbers) != route.parameter_count:
            return self._find_text(path)
        if any(len(number) > _LONGEST_ID or int(number) > LARGEST_ID for number in numbers):
            return None
        return Match(route, [int(number) for number in numbers])

    def _serve(self, keys: Sequence[str], operation: Operation) -> None:
        route = _with(self._routes.get(keys[0]), operation)
        self._routes.update(dict.fromkeys(keys, route))

    def _serve_text(self, places: Sequence[_Segment], operation: Operation) -> None:
        route = _with(places[0].route, operation)
        for place in places:
            place.route = route

    def _place(self, path: str) -> _Segment:
        """Where the paths of a declared one lead to."""
        segment = self._texts
        for declared in path.split("/"):
            segment = segment.following(declared)
        return segment

    def _find_text(self, path: str) -> Match | None:
        segment, texts = self._texts, []
        for part in path.split("/"):
            following = segment.fixed.get(part)
            if following is None:
                text = _decoded(part)
                if segment.text is None or text is None:
                    return None
                texts.append(text)
                following = segment.text
            segment = following
        return Match(segment.route, texts) if segment.route else None


def _with(route: Route | None, operation: Operation) -> Route:
    """A route that has one more operation."""
    endpoint = operation.endpoint
    if route is None:
        return Route(endpoint.path, len(endpoint.path_parameters), {endpoint.method: operation})
    if endpoint.method in route.operations:
        raise ValueError(f"{endpoint.method} {endpoint.path} is declared twice")
    route.operations[endpoint.method] = operation
    return route


def _decoded(part: str) -> str | None:
    """The text that a segment of a path stands for (RFC 3986, section 2.1); None if it is none."""
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= TEXT_LIMIT and "\x00" not in text else None
