"""Contenders that play rounds in turns, so that other work on the machine affects all of them alike."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

Figures = Mapping[str, float]
Play = Callable[[], Awaitable[Figures]]
Contenders = Mapping[str, Play]
"""What measures one round, by the name of the contender in results."""

Samples = dict[str, dict[str, list[float]]]
"""Figures of all rounds, by contender and figure."""


async def alternate(
    contenders: Contenders, rounds: int, uncounted: int, played: Callable[[], None]
) -> Samples:
    """Let all contenders play in turns.

    Args:
        contenders: the contenders.
        rounds: how many rounds count.
        uncounted: how many rounds precede them.
        played: called after each contender's round.
    """
    samples: Samples = {name: defaultdict(list) for name in contenders}
    for number in range(uncounted + rounds):
        for name, play in contenders.items():
            figures = await play()
            if number >= uncounted:
                for figure, value in figures.items():
                    samples[name][figure].append(value)
            played()
    return {name: dict(figures) for name, figures in samples.items()}
