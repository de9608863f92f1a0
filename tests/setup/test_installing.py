"""Programs are installed into the environment completely and once."""

from pathlib import Path

import pytest

from tests.installing import put_in_place


def test_the_second_run_keeps_the_first_ones_copy(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "program").write_text(name)
        put_in_place(tmp_path / name, tmp_path / "place")
    assert (tmp_path / "place" / "program").read_text() == "first"


def test_an_unusable_destination_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        put_in_place(tmp_path / "nothing", tmp_path / "place")
