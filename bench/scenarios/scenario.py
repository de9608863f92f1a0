"""What a scenario is: a name, and contenders that play rounds in turns."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from bench.rounds import Contender
from bench.stage import Stage

Prepare = Callable[[Stage], AbstractAsyncContextManager[list[Contender]]]


@dataclass(frozen=True)
class Scenario:
    """Something that is measured.

    Attributes:
        name: on the command line and in results.
        summary: what happens, one line.
        figure: the one of its contenders' figures that counts.
        unit: of that figure.
        prepare: makes all that is needed, for as long as the rounds last.
        warms_up: whether a first round is played that does not count. Where each round begins with a new
            server there is nothing to warm.
        rounds_factor: how many times as many rounds are played as in other scenarios.
    """

    name: str
    summary: str
    figure: str
    unit: str
    prepare: Prepare
    warms_up: bool = True
    rounds_factor: int = 1
