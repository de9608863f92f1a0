"""Meters: what is counted for every command and request, with the labels looked up beforehand.

A meter adds to its own plain integers; `fold` adds these to the metrics' values before a scrape.
"""

from bisect import bisect_left

from metrics.instruments import Counts, Distribution, Distributions


class CommandMeter:
    """Commands of one kind.

    Args:
        kind: the label `kind`.
        commands: `frontrow_commands_total`.
        waited: how long commands of all kinds waited.
        ran: how long commands of this kind ran.
    """

    __slots__ = ("_commands", "_kind", "_ran", "_succeeded", "_waited")

    def __init__(self, kind: str, commands: Counts, waited: Distribution, ran: Distribution) -> None:
        self._kind = kind
        self._commands = commands
        self._waited = waited
        self._ran = ran
        self._succeeded = 0

    def succeeded(self, run_seconds: float) -> None:
        """A command was decided as soon as it arrived."""
        self._succeeded += 1
        ran = self._ran
        ran.counts[bisect_left(ran.bounds, run_seconds)] += 1
        ran.total += run_seconds

    def handled(self, outcome: str, wait_seconds: float, run_seconds: float) -> None:
        """A command was handled, or refused because the mailbox was full."""
        self._commands[self._kind, outcome] += 1
        self._waited.observe(wait_seconds)
        self._ran.observe(run_seconds)

    def fold(self) -> None:
        """Add what `succeeded` has counted: these commands did not wait."""
        if self._succeeded:
            self._commands[self._kind, "ok"] += self._succeeded
            self._waited.counts[0] += self._succeeded
            self._succeeded = 0


class RouteMeter:
    """Requests of one route and method.

    Args:
        route: the label `route`.
        method: the label `method`.
        requests: `frontrow_http_requests_total`.
        times: `frontrow_http_request_duration_seconds`.
    """

    __slots__ = ("_answers", "_method", "_requests", "_route", "_times")

    def __init__(self, route: str, method: str, requests: Counts, times: Distributions) -> None:
        self._route = route
        self._method = method
        self._requests = requests
        self._times = times
        self._answers: dict[int, _Answers] = {}

    def finished(self, status: int, seconds: float) -> None:
        """A request was answered with `status` after `seconds`."""
        answers = self._answers.get(status)
        if answers is None:
            answers = self._answers[status] = _Answers(self._times[self._route, str(status)])
        answers.number += 1
        times = answers.times
        times.counts[bisect_left(times.bounds, seconds)] += 1
        times.total += seconds

    def fold(self) -> None:
        """Add what has been counted since the last scrape."""
        for status, answers in self._answers.items():
            if answers.number:
                self._requests[self._route, self._method, str(status)] += answers.number
                answers.number = 0


class _Answers:
    """Answers of one route and method with one status."""

    __slots__ = ("number", "times")

    def __init__(self, times: Distribution) -> None:
        self.number = 0
        self.times = times
