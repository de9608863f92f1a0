"""The command line, with its own embedded database."""

import getpass
import json
import os
import re
import subprocess
import sys
import zoneinfo
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from frontrow.cli import log_group, main, outbox
from frontrow.database import database_of
from frontrow.settings import load_settings
from frontrow.signing import tokens_of
from tests.database import execute
from tests.signing_keys import ED25519_KEY, STRONG_SECRET, public_pem


def frontrow(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


GROUPS = {"log": log_group, "outbox": outbox}
COMMANDS = {(name,): command for name, command in main.commands.items() if name not in GROUPS}
COMMANDS |= {(group, name): command for group in GROUPS for name, command in GROUPS[group].commands.items()}


@pytest.mark.parametrize("command", sorted(COMMANDS), ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    helped = frontrow(*command, "--help")
    assert helped.exit_code == 0
    assert "--data-dir" in helped.output
    assert COMMANDS[command].help


def test_a_database_is_migrated_checked_and_seeded(empty_data_directory: Path) -> None:
    there = ("--data-dir", empty_data_directory)
    migrated = frontrow("migrate", *there)
    assert migrated.exit_code == 0
    assert "applied 0001_seat_sales" in migrated.output
    assert frontrow("migrate", *there).output == "the database is up to date\n"

    seeded = frontrow("seed", "--screenings", 51, "--rows", 2, "--seats-per-row", 3, *there)
    assert seeded.exit_code == 0
    assert "Screenings" in seeded.stderr
    screenings = json.loads(seeded.stdout)["screenings"]
    assert len({screening["id"] for screening in screenings}) == 51
    assert len({screening["room_id"] for screening in screenings}) == 2
    assert {screening["last_seat_id"] - screening["first_seat_id"] for screening in screenings} == {5}

    with database_of(load_settings(data_dir=empty_data_directory)):
        after = frontrow("check", *there)
    assert after.exit_code == 0
    assert "fsync and full_page_writes are on" in after.output
    assert "the schema is at " in after.output
    assert "PostgreSQL and Python agree on the time zones in use" in after.output
    assert "is not running and was not checked" in frontrow("check", *there).output


def test_check_counts_the_connections_of_all_workers(database_url: str, tmp_path: Path) -> None:
    checked = frontrow(
        *("check", "--data-dir", tmp_path), FRONTROW_DATABASE_URL=database_url, FRONTROW_WORKERS="100"
    )
    # For 101 workers of 12 connections, and the supervisor.
    assert re.search(r"FAIL  max_connections is \d+, but this server needs 1213\n", checked.output)


def test_check_names_time_zones_with_other_rules(database_url: str, tmp_path: Path) -> None:
    execute(database_url, "INSERT INTO cinemas (name, time_zone) VALUES ('Odeon', 'Asia/Kathmandu')")
    berlin = resources.files("tzdata") / "zoneinfo" / "Europe" / "Berlin"
    (tmp_path / "Asia").mkdir()
    (tmp_path / "Asia" / "Kathmandu").write_bytes(berlin.read_bytes())
    zoneinfo.reset_tzpath([str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        checked = frontrow("check", "--data-dir", tmp_path / "data", FRONTROW_DATABASE_URL=database_url)
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()
    assert re.search(r"note  .* different rules for Asia/Kathmandu \(from \d", checked.output)


def test_a_database_without_a_schema_is_not_an_error(empty_database_url: str, tmp_path: Path) -> None:
    checked = frontrow("check", "--data-dir", tmp_path, FRONTROW_DATABASE_URL=empty_database_url)
    assert "note  the schema is missing" in checked.output


def test_check_and_migrate_report_missing_rights(empty_database_url: str, tmp_path: Path) -> None:
    execute(empty_database_url, "CREATE ROLE helpless LOGIN")
    url = empty_database_url.replace("//postgres@", "//helpless@")
    for command in ("check", "migrate", "serve"):
        said = frontrow(command, "--data-dir", tmp_path, FRONTROW_DATABASE_URL=url)
        assert said.exit_code == 1
        for what in ("create tables in the schema public", "CREATE EXTENSION pg_trgm SCHEMA public;"):
            assert what in said.output
        assert "permission denied" not in said.output and "Traceback" not in said.output
    execute(empty_database_url, "DROP ROLE helpless")


def test_the_check_creates_nothing(tmp_path: Path) -> None:
    """Neither the directory, nor a PostgreSQL in an existing one, nor the account to run it as."""
    accounts = Path("/etc/passwd").read_bytes()
    absent = frontrow("check", "--data-dir", tmp_path / "not" / "there")
    assert absent.exit_code == 0
    assert (
        f"the data directory {tmp_path}/not/there does not exist; `frontrow serve` creates it"
        in absent.output
    )
    empty = frontrow("check", "--data-dir", tmp_path)
    assert empty.exit_code == 0
    assert (
        f"the embedded PostgreSQL in {tmp_path} does not exist; `frontrow serve` creates it" in empty.output
    )
    assert list(tmp_path.iterdir()) == []
    assert Path("/etc/passwd").read_bytes() == accounts


def test_the_check_finds_data_of_another_major_version(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres" / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    for settings in ({}, IN_PRODUCTION):
        checked = frontrow("check", "--data-dir", tmp_path, **settings)
        assert checked.exit_code == 1
        assert f"FAIL  {cluster} holds data of PostgreSQL 17, but the embedded one is " in checked.output


@pytest.mark.parametrize("command", ["serve", "check", "migrate", "token --user-id 7"])
def test_an_unknown_variable_stops_every_command(tmp_path: Path, command: str) -> None:
    refused = frontrow(*command.split(), "--data-dir", tmp_path / "data", FRONTROW_HOLD_SECOND="9")
    assert refused.exit_code == 1
    assert "FRONTROW_HOLD_SECOND is not a setting; FRONTROW_HOLD_SECONDS may be meant" in refused.output
    assert not (tmp_path / "data").exists()


AS_AN_ORDINARY_USER = """
import os, sys
from frontrow.cli import main
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", ["serve", "check", "migrate", "token --user-id 7"])
@pytest.mark.parametrize("forbidden", ["parent", "directory", "content"])
def test_an_inaccessible_path_is_named_with_the_user(
    empty_data_directory: Path, command: str, forbidden: str
) -> None:
    empty_data_directory.chmod(0o755)
    at_fault = used = empty_data_directory / "data"
    used.mkdir()
    if forbidden == "parent":
        used, at_fault = used / "deep" / "down", used
    if forbidden == "content":
        used.chmod(0o777)
        (used / "postgres").mkdir(mode=0o700)
        for name in ("jwt-secret", "server.lock"):
            (used / name).touch(mode=0o600)
    else:
        at_fault.chmod(0o555)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRONTROW_")}
    refused = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", AS_AN_ORDINARY_USER, *command.split(), "--data-dir", used],
        **{"env": environment, "capture_output": True, "text": True, "timeout": 60, "check": False},
    )
    said = refused.stdout + refused.stderr
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    assert refused.returncode == 1, said
    assert str(at_fault) in said
    assert f"permission denied for the user {user}" in said
    assert "Traceback" not in said


SECRETS = {"FRONTROW_JWT_SECRET": STRONG_SECRET, "FRONTROW_PERSONAL_DATA_KEY": STRONG_SECRET[::-1]}
IN_PRODUCTION = {"FRONTROW_ENV": "production", **SECRETS}


def test_the_check_mentions_local_urls_in_production(tmp_path: Path) -> None:
    public = {"FRONTROW_PUBLIC_URL": "https://tickets.example"}
    for settings, remarked in (
        (IN_PRODUCTION, True),
        ({**IN_PRODUCTION, "FRONTROW_PUBLIC_URL": "http://localhost:3000"}, True),
        ({**IN_PRODUCTION, **public}, False),
        (SECRETS, False),
    ):
        output = frontrow("check", "--data-dir", tmp_path, **settings).output
        assert ("set FRONTROW_PUBLIC_URL to your site's URL" in output) is remarked
    for origins, remarked in (
        ("http://localhost:3000,http://127.0.0.1:4200", True),
        ("http://localhost:3000,https://tickets.example", False),
        ("", False),
    ):
        output = frontrow(
            "check", "--data-dir", tmp_path, **IN_PRODUCTION, FRONTROW_ALLOWED_ORIGINS=origins
        ).output
        assert ("only pages on localhost may call the API" in output) is remarked


def test_the_check_mentions_an_untrusted_proxy(tmp_path: Path) -> None:
    by_tls = {**IN_PRODUCTION, "FRONTROW_PUBLIC_URL": "https://tickets.example"}
    for settings, remarked in (
        (by_tls, True),
        ({**by_tls, "FRONTROW_TRUSTED_PROXIES": "127.0.0.1"}, False),
        ({**by_tls, "FRONTROW_PUBLIC_URL": "http://tickets.example"}, False),
    ):
        output = frontrow("check", "--data-dir", tmp_path, **settings).output
        assert ("seem to come through a proxy" in output) is remarked


def test_the_check_mentions_the_default_sender(tmp_path: Path) -> None:
    by_smtp = {**IN_PRODUCTION, "FRONTROW_SMTP_URL": "smtp://mail.example"}
    for settings, remarked in (
        (by_smtp, True),
        ({**by_smtp, "FRONTROW_MAIL_FROM": "tickets@tickets.example"}, False),
        (IN_PRODUCTION, False),
    ):
        output = frontrow("check", "--data-dir", tmp_path, **settings).output
        assert ("mails are sent from tickets@localhost" in output) is remarked


@pytest.mark.parametrize("command", ["serve", "check", "migrate", "token --user-id 7"])
@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_instead_of_the_data_directory_is_named(tmp_path: Path, command: str, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    refused = frontrow(*command.split(), FRONTROW_DATA_DIR=f"{file}{below}")
    assert refused.exit_code == 1
    assert str(file) in refused.output and "not a directory" in refused.output.casefold()
    assert "Errno" not in refused.output


def test_a_backup_needs_an_existing_directory(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "today.frontrow"
    refused = frontrow("backup", file, "--data-dir", tmp_path, FRONTROW_DATABASE_URL=database_url)
    assert refused.exit_code == 1
    assert f"{file.parent} is not a directory; create it or choose another place" in refused.output


def test_the_check_names_the_database_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://somebody:hidden-word@127.0.0.1:1/sales"
    checked = frontrow("check", "--data-dir", tmp_path, FRONTROW_DATABASE_URL=url)
    assert "the database is postgresql://somebody:***@127.0.0.1:1/sales" in checked.output
    assert "hidden-word" not in checked.output


def test_a_printed_token_is_valid(tmp_path: Path) -> None:
    printed = frontrow("token", "--user-id", 7, "--admin", "--ttl", 60, "--data-dir", tmp_path)
    assert printed.exit_code == 0
    identity = tokens_of(load_settings(data_dir=tmp_path)).verify(printed.output.strip())
    assert (identity.user_id, identity.admin) == (7, True)


def test_the_last_line_printed_is_a_token_of_any_kind(tmp_path: Path) -> None:
    printed = frontrow("token", "--service", "payments", "--data-dir", tmp_path)
    assert printed.exit_code == 0
    token = printed.output.splitlines()[-1]
    assert tokens_of(load_settings(data_dir=tmp_path)).verify(token, "payments").service == "payments"


def test_dead_letters_are_listed_and_retried(database_url: str, tmp_path: Path) -> None:
    for number, (kind, status) in enumerate(
        (("mail", "dead"), ("mail", "waiting"), ("webhook", "dead"), ("mail", "delivered"), ("mail", "dead")),
        1,
    ):
        execute(
            database_url,
            """
            INSERT INTO outbox (kind, subject, payload, status, attempts, finished_at, error)
            VALUES (%s, %s, '{}', %s, 3, CASE WHEN %s <> 'waiting' THEN now() END, 'connection\nrefused')
            """,
            *(kind, f"booking {number}", status, status),
        )

    def command(*arguments: object) -> Result:
        return frontrow("outbox", *arguments, "--data-dir", tmp_path, FRONTROW_DATABASE_URL=database_url)

    def found(*options: str) -> list[tuple[str, str]]:
        listed = json.loads(command("list", "--json", *options).stdout)
        return [(message["subject"], message["status"]) for message in listed]

    heading, *lines = command("list", "--status", "dead", "--kind", "mail").stdout.splitlines()
    assert heading.split()[:4] == ["ID", "KIND", "STATUS", "ATTEMPTS"]
    assert [(line.split()[:4], line.endswith("connection refused")) for line in lines] == [
        (["5", "mail", "dead", "3"], True),
        (["1", "mail", "dead", "3"], True),
    ]
    assert found("--limit", "2") == [("booking 5", "dead"), ("booking 4", "delivered")]

    assert command("retry", 1, 2).stdout == "2 to be delivered\n"
    assert found("--status", "waiting") == [("booking 2", "waiting"), ("booking 1", "waiting")]
    ((attempts,),) = execute(database_url, "SELECT attempts FROM outbox WHERE id = 1")
    assert attempts == 0
    assert command("retry", "--all", "--kind", "mail").stdout == "1 to be delivered\n"
    assert found("--status", "dead") == [("booking 3", "dead")]
    assert command("retry", "--all").stdout == "1 to be delivered\n"

    for arguments, said in (
        ((4,), "Error: Message 4 has been delivered"),
        ((99,), "Error: Message 99 not found"),
        ((), "name the ids of dead letters, or use --all"),
        ((1, "--all"), "name the ids of dead letters, or use --all"),
        ((1, "--kind", "mail"), "name the ids of dead letters, or use --all"),
    ):
        failed = command("retry", *arguments)
        assert failed.exit_code in (1, 2) and said in failed.output


def test_the_outbox_of_an_empty_database_is_an_error_in_one_sentence(
    empty_database_url: str, tmp_path: Path
) -> None:
    failed = frontrow("outbox", "list", "--data-dir", tmp_path, FRONTROW_DATABASE_URL=empty_database_url)
    assert failed.exit_code == 1
    assert "run frontrow migrate" in failed.output


BY_PUBLIC_KEY = {"FRONTROW_JWT_ALGORITHM": "EdDSA", "FRONTROW_JWT_PUBLIC_KEY": public_pem(ED25519_KEY)}
AWAY_TEXT = "The database at 127.0.0.1:1 cannot be reached: Connection refused; see FRONTROW_DATABASE_URL"
AWAY = {"FRONTROW_DATABASE_URL": "postgresql://127.0.0.1:1/x"}


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("token", "--user-id", 0), {}, "0 is not in the range"),
        (("token",), {}, "Give either --user-id or --service."),
        (("token", "--user-id", 7, "--service", "payments"), {}, "Give either --user-id or --service."),
        (("token", "--service", "tickets"), {}, "'tickets' is not one of 'payments'"),
        (("token", "--service", "payments", "--admin"), {}, "A service cannot be an administrator"),
        (("token", "--user-id", 7), {"FRONTROW_HOLD_SECONDS": "abc"}, "FRONTROW_HOLD_SECONDS must be"),
        (("token", "--user-id", 7), {"FRONTROW_ENV": "production"}, "FRONTROW_JWT_SECRET must be"),
        (("token", "--user-id", 7, "--ttl", 9_999_999), {}, "between 1 and 2592000 seconds, not 9999999"),
        (("check",), AWAY, f"{AWAY_TEXT}"),
        (("migrate",), AWAY, f"Error: {AWAY_TEXT}"),
        (("serve",), AWAY, f"Error: {AWAY_TEXT}"),
        (("token", "--user-id", 7), BY_PUBLIC_KEY, "issuing tokens requires the private key"),
        (("serve", "--demo"), BY_PUBLIC_KEY, "leave it out when FRONTROW_JWT_PUBLIC_KEY is set"),
        (("serve", "--demo"), IN_PRODUCTION, "leave it out when FRONTROW_ENV is production"),
        (("seed", "--screenings", 0, "--rows", 1, "--seats-per-row", 1), {}, "0 is not in the range"),
        (("serve", "--port", 70_000), {}, "70000 is not in the range"),
    ],
)
def test_errors_are_one_sentence_without_a_traceback(
    tmp_path: Path, arguments: tuple, environment: dict[str, str], said: str
) -> None:
    failed = frontrow(*arguments, "--data-dir", tmp_path, **environment)
    assert failed.exit_code in (1, 2)
    assert said in failed.output
    assert "Traceback" not in failed.output
    assert failed.exception is None or isinstance(failed.exception, SystemExit)
