"""`frontrow import-movies`: what is imported, what is rejected, and that importing twice changes nothing."""

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from frontrow.cli import main
from tests.database import execute

SAMPLE = Path(__file__).parents[1] / "data" / "movies.json"
BAD_ROWS = {
    4: "title: Field may not be null.",
    10: "release_date: Not a valid date.",
    18: "duration_minutes: Must be greater than or equal to 1",
    27: "imdb_rating: Must be greater than or equal to 0 and less than or equal to 10",
    39: "the same film as row 1",
    52: "title: Length must be between 1 and 300.",
    61: "not an object",
}


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database that the command line uses."""
    monkeypatch.setenv("FRONTROW_DATABASE_URL", database_url)
    monkeypatch.setenv("FRONTROW_DATA_DIR", str(tmp_path))
    return database_url


def import_movies(file: Path) -> Result:
    return CliRunner().invoke(main, ["import-movies", str(file)])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_windows_encodings_are_read(database: str, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "movies.json"
    file.write_text(json.dumps([{"Title": "Über den Dächern"}], ensure_ascii=False), encoding=encoding)
    assert counted(import_movies(file))["created"] == 1
    assert execute(database, "SELECT title FROM movies") == [("Über den Dächern",)]


def counted(result: Result) -> dict[str, int]:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def release_of(database: str, title: str) -> date:
    ((released,),) = execute(database, "SELECT release_date FROM movies WHERE title = %s", title)
    return released


def test_good_rows_are_imported_and_bad_ones_reported(database: str) -> None:
    result = import_movies(SAMPLE)
    assert counted(result) == {"rows": 65, "created": 58, "changed": 0, "unchanged": 0, "skipped": 7}
    reported = [line for line in result.stderr.splitlines() if line.startswith("row ")]
    assert len(reported) == len(BAD_ROWS)
    for line, (number, reason) in zip(reported, BAD_ROWS.items(), strict=True):
        assert line.startswith(f"row {number} skipped: {reason}")
    found = execute(database, "SELECT title FROM movies WHERE title IN ('1776', '9', 'Война и мир')")
    assert len(found) == 3


def test_importing_twice_changes_nothing_and_corrections_are_applied(database: str, tmp_path: Path) -> None:
    import_movies(SAMPLE)
    before = execute(database, "SELECT * FROM movies ORDER BY id")
    again = {"rows": 65, "created": 0, "changed": 0, "unchanged": 58, "skipped": 7}
    assert counted(import_movies(SAMPLE)) == again
    assert execute(database, "SELECT * FROM movies ORDER BY id") == before
    rows = json.loads(SAMPLE.read_text())
    rows[0]["Director"] = "Somebody Else"
    corrected = tmp_path / "corrected.json"
    corrected.write_text(json.dumps(rows))
    assert counted(import_movies(corrected)) == again | {"changed": 1, "unchanged": 57}
    ((director,),) = execute(
        database, "SELECT director FROM movies WHERE import_key LIKE %s", f"{rows[0]['Title']} (%"
    )
    assert director == "Somebody Else"


def test_years_of_the_wrong_century_are_corrected(database: str) -> None:
    import_movies(SAMPLE)
    assert release_of(database, "The Silent Meridian") == date(1939, 12, 15)
    assert release_of(database, "The Long Announcement") == date(2039, 12, 15)
    assert release_of(database, "Undated Parade") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{}", "films.json is not a JSON array"),
        (b"[", "films.json is not JSON: unexpected end of data"),
        (b'["\xe9"]', "films.json is not JSON: 'utf-8' codec can't decode byte 0xe9"),
    ],
)
def test_invalid_files_are_refused_with_a_message(
    content: bytes, reason: str, database: str, tmp_path: Path
) -> None:
    file = tmp_path / "films.json"
    file.write_bytes(content)
    result = import_movies(file)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_file_is_wrong_usage(database: str, tmp_path: Path) -> None:
    assert import_movies(tmp_path / "nothing.json").exit_code == 2


def test_an_empty_list_imports_nothing(database: str, tmp_path: Path) -> None:
    file = tmp_path / "films.json"
    file.write_text("[]")
    assert counted(import_movies(file))["rows"] == 0
