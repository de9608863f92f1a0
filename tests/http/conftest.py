"""Test applications that are closed after the test."""

from collections.abc import Callable, Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.http.stage import LAYERS, Stage

OpenStage = Callable[..., Stage]


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> str:
    """Each of the two HTTP layers."""
    return str(request.param)


@pytest.fixture
def open_stage(io_loop: IOLoop) -> Iterator[OpenStage]:
    """Opens a `Stage` with its arguments on the test's event loop."""
    stages: list[Stage] = []

    def open_one(*arguments: object, **options: object) -> Stage:
        stages.append(Stage(*arguments, **options))
        return stages[-1]

    yield open_one
    for stage in stages:
        io_loop.run_sync(stage.close)
