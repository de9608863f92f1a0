"""Stages that close after the test."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.http.stage import LAYERS, Stage

OpenStage = Callable[..., Stage]


@pytest.fixture
def io_loop(request: pytest.FixtureRequest) -> Iterator[IOLoop]:
    """A fresh event loop: asyncio's own, unless the test is marked with `on_both_loops`."""
    with asyncio.Runner(loop_factory=getattr(request, "param", None)) as runner:
        runner.get_loop()
        yield IOLoop.current()


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> str:
    """Each of the two HTTP layers."""
    return str(request.param)


@pytest.fixture
def open_stage(io_loop: IOLoop) -> Iterator[OpenStage]:
    """Opens a stage, with the arguments of `Stage`, on the test's event loop."""
    stages: list[Stage] = []

    def open_one(*arguments: object, **options: object) -> Stage:
        stages.append(Stage(*arguments, **options))
        return stages[-1]

    yield open_one
    for stage in stages:
        io_loop.run_sync(stage.close)
