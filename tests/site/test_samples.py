"""The samples of operations (`x-codeSamples`) are valid, and do what they show in curl and Python."""

from pathlib import Path

import pytest

from api.application import RESOURCES
from api.documents.openapi import openapi_document
from api.limits import Limits
from tests.site.blocks import Block
from tests.site.guide import run_commands
from tests.web.demo_house import DemoHouse

DOCUMENT = openapi_document(
    [endpoint for resource in RESOURCES for endpoint in resource.endpoints], "1", Limits()
)
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}
TRIED = {
    "health": {},
    "get_availability": {"/123/": "/1/"},
    "reserve_seats": {'"screening_id": 123': '"screening_id": 1'},
    "list_reservations": {},
    "create_cinema": {},
    "search_movies": {},
}
"""Operations whose samples are run, with what is replaced because the demo does not have it."""


def sample(name: str, language: str) -> str:
    """Return a sample of an operation, for the demo."""
    (source,) = (each["source"] for each in OPERATIONS[name]["x-codeSamples"] if each["lang"] == language)
    for shown, known in TRIED[name].items():
        source = source.replace(shown, known)
    return source


@pytest.mark.gen_test(timeout=180)
async def test_samples_are_answered(database_url: str, tmp_path: Path) -> None:
    house = DemoHouse(database_url, tmp_path)
    await house.open()
    try:
        environment = {"TOKEN": house.token(house.demo.members[0].user_id, admin=True)}
        shell = "\n".join(sample(name, "bash") for name in TRIED)
        python = "\n".join(sample(name, "python") for name in TRIED)
        page = [
            Block("samples", 1, "python", "samples.py", python),
            Block("samples", 1, "sh", "", f"{shell}\npython samples.py\n"),
        ]
        ran = await run_commands(page, house.base_url, tmp_path, environment)
        assert ran.refused == []
        assert ran.output.count("Lumen Picture House") >= 2
    finally:
        await house.close()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_samples(name: str) -> None:
    samples = OPERATIONS[name]["x-codeSamples"]
    assert [each["label"] for each in samples] == ["curl", "Python", "JavaScript"]
    compile(samples[1]["source"], name, "exec", dont_inherit=True)
