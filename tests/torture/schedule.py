"""Schedule of faults: their kinds, targets, times and durations, drawn from the seed before a run starts.

Kinds are drawn like cards, so each comes before any comes twice. Faults overlap, but never two that
change the same thing, such as two that stop one process. Now and then everything is well for some
seconds, so that a run also shows how the cluster recovers.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.clocks import STEP_LIMIT_SECONDS
from tests.torture.site import CLIENTS, DATABASE, NATS, node_names

AT_ONCE_LIMIT = 3
"""Faults at the same time."""

FIRST_SECONDS = 2.0
"""Time without faults at the beginning."""

CALM_EVERY_SECONDS, CALM_SECONDS = 12.0, 5.0

STATEMENTS = (
    "COMMIT",
    "BEGIN",
    "INSERT INTO tickets",
    "INSERT INTO screening_events",
    "screening_epochs",
    "SELECT",
)
"""Statements at which connections are broken."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: a key of `KINDS`.
        target: a host; for links `SENDER>RECEIVER` or `ONE|OTHER` for both ways.
        at: seconds after the start of the run.
        seconds: until it is mended.
        details: further arguments of the kind.
    """

    kind: str
    target: str
    at: float
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ends_at(self) -> float:
        """Seconds after the start of the run."""
        return self.at + self.seconds

    @property
    def directions(self) -> list[tuple[str, str]]:
        """Sender and receiver of each direction of a link."""
        if ">" in self.target:
            sender, receiver = self.target.split(">")
            return [(sender, receiver)]
        one, other = self.target.split("|")
        return [(one, other), (other, one)]


@dataclass(frozen=True)
class Schedule:
    """All faults of a run, and what else a run depends on."""

    seed: int
    seconds: float
    nodes: int
    faults: list[Fault]

    def store(self, path: Path) -> None:
        """Write it to a file."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Schedule":
        """Read what `store` has written.

        Raises:
            OSError, ValueError, TypeError, KeyError: it is not such a file.
        """
        stored = json.loads(path.read_text())
        return cls(**{**stored, "faults": [Fault(**fault) for fault in stored["faults"]]})


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        targets: what may be hit.
        seconds: shortest and longest duration.
        touches: what no other fault may touch at the same time.
        details: draws further arguments.
    """

    targets: Callable[[Sequence[str]], Sequence[str]]
    seconds: tuple[float, float]
    touches: Callable[[str], Sequence[str]]
    details: Callable[[random.Random], dict[str, Any]] = lambda draw: {}


def _links(nodes: Sequence[str]) -> list[tuple[str, str]]:
    inner = [(node, other) for node in nodes for other in (DATABASE, *NATS)]
    return [*inner, NATS, *((CLIENTS, node) for node in nodes)]


def _both_ways(nodes: Sequence[str]) -> list[str]:
    return [f"{one}|{other}" for one, other in _links(nodes)]


def _one_way(nodes: Sequence[str]) -> list[str]:
    return [f"{a}>{b}" for one, other in _links(nodes) for a, b in ((one, other), (other, one))]


def _link(target: str) -> tuple[str]:
    return (" ".join(sorted(target.replace(">", "|").split("|"))),)


def _process(target: str) -> tuple[str]:
    return (f"process {target}",)


def _nodes(nodes: Sequence[str]) -> Sequence[str]:
    return nodes


def _only(*targets: str) -> Callable[[Sequence[str]], Sequence[str]]:
    return lambda nodes: targets


def _clock(target: str) -> tuple[str]:
    return (f"clock {target}",)


def _every_process(target: str) -> list[str]:
    return [f"process {node}" for node in target.split(",")]


def _badness(**limits: float) -> Callable[[random.Random], dict[str, Any]]:
    return lambda draw: {name: round(draw.uniform(limit / 4, limit), 4) for name, limit in limits.items()}


KINDS: dict[str, Kind] = {
    "kill node": Kind(_nodes, (0.2, 3.0), _process),
    "stop node": Kind(_nodes, (0.5, 6.0), _process),
    "restart node": Kind(_nodes, (0.1, 1.0), _process),
    "rolling restart": Kind(lambda nodes: [",".join(nodes)], (6.0, 9.0), _every_process),
    "kill database": Kind(_only(DATABASE), (0.2, 2.0), _process),
    "stop database": Kind(_only(DATABASE), (0.5, 4.0), _process),
    "kill NATS": Kind(_only(*NATS), (0.2, 3.0), _process),
    "stop NATS": Kind(_only(*NATS), (0.5, 5.0), _process),
    "partition": Kind(_both_ways, (0.5, 5.0), _link),
    "partition one way": Kind(_one_way, (0.5, 5.0), _link),
    "delay": Kind(_both_ways, (1.0, 5.0), _link, _badness(delay_seconds=0.2)),
    "loss": Kind(_both_ways, (1.0, 5.0), _link, _badness(loss=0.2)),
    "reordering": Kind(_both_ways, (1.0, 5.0), _link, _badness(jitter_seconds=0.08, duplicates=0.1)),
    "slow link": Kind(_both_ways, (1.0, 5.0), _link, _badness(bytes_per_second=200_000)),
    "full disk of node": Kind(_nodes, (0.5, 4.0), lambda target: (f"disk {target}",)),
    "full disk of database": Kind(_only(DATABASE), (0.3, 2.0), _process),
    "slow disk of database": Kind(
        _only(DATABASE), (1.0, 5.0), lambda target: ("commits",), _badness(commit_seconds=0.1)
    ),
    "cut at statement": Kind(
        _only(DATABASE),
        (0.5, 2.0),
        lambda target: ("statements",),
        lambda draw: {
            "statement": draw.choice(STATEMENTS),
            "when": draw.choice(("before", "after")),
            "times": draw.randint(1, 4),
        },
    ),
    "end sessions": Kind(_only(DATABASE), (0.1, 0.1), lambda target: ("sessions",)),
    "clock stepped": Kind(
        _nodes,
        (2.0, 6.0),
        _clock,
        lambda draw: {"seconds": draw.choice((-1, 1)) * round(draw.uniform(0.6, STEP_LIMIT_SECONDS), 3)},
    ),
    "clock too fast or slow": Kind(
        _nodes, (2.0, 6.0), _clock, lambda draw: {"rate": draw.choice((-1, 1)) * draw.choice((0.02, 0.1))}
    ),
    "layout changed": Kind(_only("halls"), (0.5, 2.0), lambda target: ("layout",)),
}
"""All kinds by name."""


def draw_schedule(seed: int, seconds: float, nodes: int, kinds: Sequence[str] = tuple(KINDS)) -> Schedule:
    """Draw the faults of a run.

    Args:
        seed: decides everything.
        seconds: how long faults begin.
        nodes: number of nodes.
        kinds: what may happen; nothing if it is empty.
    """
    if not kinds:
        return Schedule(seed, seconds, nodes, [])
    draw = random.Random(seed)
    pause = min(2.5, max(0.5, seconds / (2 * len(kinds))))
    names, deck = node_names(nodes), list[str]()
    faults: list[Fault] = []
    at = FIRST_SECONDS
    while at < seconds:
        if not deck:
            deck = draw.sample(sorted(kinds), len(kinds))
        # A card that does not fit now is put to the end, so it comes later.
        for _ in range(len(deck)):
            name = deck.pop(0)
            fault = _drawn(draw, name, names, at)
            if _fits(fault, faults):
                faults.append(fault)
                break
            deck.append(name)
        at += draw.uniform(0.5, 1.5) * pause
        if at % (CALM_EVERY_SECONDS + CALM_SECONDS) > CALM_EVERY_SECONDS:
            at += CALM_SECONDS
    return Schedule(seed, seconds, nodes, faults)


def _drawn(draw: random.Random, name: str, nodes: Sequence[str], at: float) -> Fault:
    kind = KINDS[name]
    target, lasts = draw.choice(kind.targets(nodes)), draw.uniform(*kind.seconds)
    return Fault(name, target, round(at, 3), round(lasts, 3), kind.details(draw))


def _fits(fault: Fault, others: Sequence[Fault]) -> bool:
    """Return whether a fault may begin while the others that have begun last."""
    present = [other for other in others if other.ends_at > fault.at]
    if len(present) >= AT_ONCE_LIMIT:
        return False
    touched = {thing for other in present for thing in KINDS[other.kind].touches(other.target)}
    return touched.isdisjoint(KINDS[fault.kind].touches(fault.target))
