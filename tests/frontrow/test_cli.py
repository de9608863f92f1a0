"""The command line, on an embedded database of its own."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from frontrow.cli import main
from frontrow.settings import load_settings
from frontrow.signing import tokens_of


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(command: str) -> None:
    helped = run(command, "--help")
    assert helped.exit_code == 0
    assert "--data-dir" in helped.output
    assert main.commands[command].help


def test_a_database_is_migrated_checked_and_seeded(data_directory: Path) -> None:
    there = ("--data-dir", data_directory)
    before = run("check", *there)
    assert (before.exit_code, "the schema is missing" in before.output) == (0, True)
    migrated = run("migrate", *there)
    assert migrated.exit_code == 0
    assert "applied 0001_seat_sales" in migrated.output
    assert run("migrate", *there).output == "the database is up to date\n"

    seeded = run("seed", "--screenings", 51, "--rows", 2, "--seats-per-row", 3, *there)
    assert seeded.exit_code == 0
    assert "Screenings" in seeded.stderr
    screenings = json.loads(seeded.stdout)["screenings"]
    assert len({screening["id"] for screening in screenings}) == 51
    assert len({screening["room_id"] for screening in screenings}) == 2
    assert {screening["last_seat_id"] - screening["first_seat_id"] for screening in screenings} == {5}

    after = run("check", *there, FRONTROW_HOLD_SECOND="9")
    assert after.exit_code == 0
    assert "FRONTROW_HOLD_SECONDS may be meant" in after.output
    assert "fsync and full_page_writes are on" in after.output


def test_the_check_names_the_database_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://somebody:hidden-word@127.0.0.1:1/sales"
    checked = run("check", "--data-dir", tmp_path, FRONTROW_DATABASE_URL=url)
    assert "the database is postgresql://somebody:***@127.0.0.1:1/sales" in checked.output
    assert "hidden-word" not in checked.output


def test_a_token_is_what_the_server_believes(tmp_path: Path) -> None:
    printed = run("token", "--user-id", 7, "--admin", "--ttl", 60, "--data-dir", tmp_path)
    assert printed.exit_code == 0
    identity = tokens_of(load_settings(data_dir=tmp_path)).verify(printed.output.strip())
    assert (identity.user_id, identity.admin) == (7, True)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("token", "--user-id", 0), {}, "0 is not in the range"),
        (("token", "--user-id", 7), {"FRONTROW_HOLD_SECONDS": "abc"}, "FRONTROW_HOLD_SECONDS must be"),
        (("token", "--user-id", 7), {"FRONTROW_ENV": "production"}, "FRONTROW_JWT_SECRET must be"),
        (("check",), {"FRONTROW_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "cannot be reached"),
        (("migrate",), {"FRONTROW_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "could not be migrated"),
        (("seed", "--screenings", 0, "--rows", 1, "--seats-per-row", 1), {}, "0 is not in the range"),
        (("serve", "--port", 70_000), {}, "70000 is not in the range"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    tmp_path: Path, arguments: tuple, environment: dict[str, str], said: str
) -> None:
    failed = run(*arguments, "--data-dir", tmp_path, **environment)
    assert failed.exit_code in (1, 2)
    assert said in failed.output
    assert "Traceback" not in failed.output
    assert failed.exception is None or isinstance(failed.exception, SystemExit)
