"""Rounds that take turns, so that whatever else the machine does meets all contenders alike."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Figures = Mapping[str, float]
Samples = dict[str, dict[str, list[float]]]
"""Figures of all rounds: by contender, then by figure."""


@dataclass(frozen=True)
class Contender:
    """One side of a comparison.

    Attributes:
        name: as in results.
        play: measures for one round.
    """

    name: str
    play: Callable[[], Awaitable[Figures]]


async def alternate(
    contenders: list[Contender], rounds: int, uncounted: int, played: Callable[[], None]
) -> Samples:
    """Let all play in turns.

    Args:
        contenders: who plays.
        rounds: how many count.
        uncounted: how many go before them.
        played: called after each turn.
    """
    samples: Samples = {contender.name: defaultdict(list) for contender in contenders}
    for number in range(uncounted + rounds):
        for contender in contenders:
            figures = await contender.play()
            if number >= uncounted:
                for name, value in figures.items():
                    samples[contender.name][name].append(value)
            played()
    return {name: dict(figures) for name, figures in samples.items()}
