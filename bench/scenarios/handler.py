"""What a JSON endpoint costs that is no hot route: the welcome page, on both connection layers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.load.http import OK, request
from bench.rounds import Contender, Figures
from bench.seats import Repeated
from bench.stage import Stage, Target

_LAYERS = {"frontrow": "httptools", "frontrow-on-tornado": "tornado"}


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """The same server twice."""
    async with AsyncExitStack() as stack:
        yield [
            _contender(
                stage, name, (await stack.enter_async_context(stage.frontrow(http_layer=layer))).target
            )
            for name, layer in _LAYERS.items()
        ]


def _contender(stage: Stage, name: str, target: Target) -> Contender:
    requests = Repeated([request("GET", "/")])

    async def play() -> Figures:
        return (await stage.closed_loop(target, requests)).figures(OK)

    return Contender(name, play)
