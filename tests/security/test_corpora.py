"""The kept inputs of the fuzzer, without the fuzzer: each was once worth keeping, and breaks no promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import CORPUS, NAMES
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("FRONTROW_TEST_SOAK_FUZZ_SECONDS", "60"))


@pytest.mark.parametrize("name", NAMES)
def test_kept_inputs(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert 1 <= len(inputs) <= 64
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as broken:
            broken.add_note(f"with the input {path.relative_to(ROOT)}")
            raise


def test_every_parser_has_a_corpus() -> None:
    assert set(NAMES) == set(TARGETS) == {path.name for path in CORPUS.iterdir()}


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_new_inputs(name: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(SECONDS)]
    fuzzed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603
    assert fuzzed.returncode == 0, fuzzed.stderr[-3000:]
