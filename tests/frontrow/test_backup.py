"""Backups that cannot be made or restored are refused before anything is changed."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from frontrow.backup import DATABASE, MANIFEST, SECRETS
from frontrow.cli import main
from frontrow.signing import KEY_FILE, PERSONAL_DATA_KEY_FILE
from tests.database import execute
from tests.signing_keys import STRONG_SECRET

OWNED_SCREENING = """
WITH room AS (INSERT INTO rooms (cinema_id, name) SELECT id, '1' FROM cinemas RETURNING id),
    screening AS (
        INSERT INTO screenings (room_id, starts_at, ends_at, price)
        SELECT id, now(), now() + interval '2 hours', 9 FROM room RETURNING id
    )
INSERT INTO screening_epochs (screening_id, epoch, owner, taken_at)
SELECT id, 3, 'other', now() FROM screening
"""

Members = dict[str, bytes]


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


@pytest.fixture
def file(database_url: str, tmp_path: Path) -> Path:
    """A backup of one cinema, whose only screening was owned by a node, with one message in the outbox."""
    execute(database_url, "INSERT INTO cinemas (name) VALUES ('Lux')")
    execute(database_url, OWNED_SCREENING)
    execute(database_url, "SELECT enqueue('mail', 'booking 7', '{\"cause\": \"booked\", \"booking_id\": 7}')")
    made = run("backup", tmp_path / "b", "--data-dir", tmp_path / "old", FRONTROW_DATABASE_URL=database_url)
    assert made.exit_code == 0, made.output
    return tmp_path / "b"


def test_no_other_file_is_overwritten(file: Path, database_url: str, tmp_path: Path) -> None:
    content = file.read_bytes()
    again = run("backup", file, "--data-dir", tmp_path / "old", FRONTROW_DATABASE_URL=database_url)
    assert again.exit_code == 1 and "exists; choose another name" in again.output
    assert file.read_bytes() == content


def restored(file: Path, database_url: str, data_dir: Path, **environment: str) -> Result:
    return run("restore", file, "--data-dir", data_dir, FRONTROW_DATABASE_URL=database_url, **environment)


def rewrite(file: Path, change: Callable[[Members], Any]) -> None:
    with tarfile.open(file) as archive:
        members = {name: archive.extractfile(name).read() for name in archive.getnames()}
    change(members)
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_a_backup_can_be_inspected(file: Path) -> None:
    with tarfile.open(file) as archive:
        assert archive.getnames() == [MANIFEST, SECRETS, DATABASE]
        manifest = json.loads(archive.extractfile(MANIFEST).read())
    assert set(manifest) == {"format", "frontrow", "schema", "postgres", "created", "database_sha256"}


def test_it_is_restored_into_an_operators_database(
    file: Path, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    done = restored(file, empty_database_url, tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert execute(empty_database_url, "SELECT name FROM cinemas") == [("Lux",)]
    assert execute(empty_database_url, "SELECT epoch, owner FROM screening_epochs") == [(3, "")]
    assert "note: 1 messages of the outbox wait" in done.output
    messages = "SELECT uid, subject, payload, status FROM outbox"
    assert execute(empty_database_url, messages) == execute(database_url, messages)
    for name in (KEY_FILE, PERSONAL_DATA_KEY_FILE):
        assert (tmp_path / "new" / name).read_text() == (tmp_path / "old" / name).read_text()
    again = restored(file, empty_database_url, tmp_path / "newer")
    assert again.exit_code == 1
    assert "The database is not empty" in again.output


def test_missing_rights_are_reported_before_the_database_is_filled(
    file: Path, empty_database_url: str, tmp_path: Path
) -> None:
    execute(empty_database_url, "CREATE ROLE restorer LOGIN")
    refused = restored(file, empty_database_url.replace("//postgres@", "//restorer@"), tmp_path / "new")
    assert refused.exit_code == 1
    assert "The database cannot be filled, and nothing was changed: the role restorer may" in refused.output
    assert "an administrator has to run: GRANT USAGE, CREATE ON SCHEMA public" in refused.output
    assert "permission denied" not in refused.output and "restoring" not in refused.output
    execute(empty_database_url, "DROP ROLE restorer")


def test_settings_are_kept_and_missing_secrets_are_reported(
    file: Path, empty_database_url: str, tmp_path: Path
) -> None:
    done = restored(file, empty_database_url, tmp_path / "new", FRONTROW_JWT_SECRET=STRONG_SECRET)
    assert done.exit_code == 0, done.output
    assert "note: FRONTROW_JWT_OLD_SECRETS lacks secrets of the backup" in done.output
    assert "FRONTROW_PERSONAL_DATA_OLD_KEYS" not in done.output
    assert not (tmp_path / "new" / KEY_FILE).exists()
    assert STRONG_SECRET not in done.output


def test_another_secret_in_the_data_directory_is_not_overwritten(
    file: Path, empty_database_url: str, tmp_path: Path
) -> None:
    (tmp_path / KEY_FILE).write_text(STRONG_SECRET)
    refused = restored(file, empty_database_url, tmp_path)
    assert refused.exit_code == 1
    assert f"{tmp_path / KEY_FILE} holds another secret than the backup" in refused.output
    assert (tmp_path / KEY_FILE).read_text() == STRONG_SECRET
    assert execute(empty_database_url, "SELECT FROM pg_tables WHERE schemaname = 'public'") == []


def set_manifest(**changes: object) -> Callable[[Members], Any]:
    def change(members: Members) -> None:
        members[MANIFEST] = json.dumps({**json.loads(members[MANIFEST]), **changes}).encode()

    return change


def set_secrets(**changes: object) -> Callable[[Members], Any]:
    def change(members: Members) -> None:
        members[SECRETS] = json.dumps({**json.loads(members[SECRETS]), **changes}).encode()

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda members: members.pop(SECRETS), "is not a complete Frontrow backup"),
        (lambda members: members.update({MANIFEST: b"{}"}), "is not a complete Frontrow backup"),
        (lambda members: members.update({MANIFEST: b"["}), "is not a complete Frontrow backup"),
        (lambda members: members.update({SECRETS: b"[]"}), "is not a complete Frontrow backup"),
        (lambda members: members.update({MANIFEST: b"[" * 100_000}), "is not a complete Frontrow backup"),
        (set_manifest(created=None), "is not a complete Frontrow backup"),
        (set_secrets(jwt_secret=5), "its secrets.json lacks a secret"),
        (set_secrets(personal_data_key=""), "its secrets.json lacks a secret"),
        (set_secrets(jwt_old_secrets=[None]), "its secrets.json lacks a secret"),
        (set_secrets(personal_data_key="\ud800"), "is not a complete Frontrow backup"),
        (lambda members: members.update({DATABASE: members[DATABASE][:-9]}), "the database is damaged"),
        (set_manifest(schema="9999_from_the_future", frontrow="99.0"), "made by Frontrow 99.0"),
        (set_manifest(format=2, frontrow="99.0"), "restore it with that version or a later one"),
    ],
)
def test_incomplete_backups_are_refused(
    file: Path, empty_database_url: str, tmp_path: Path, change: Callable[[Members], Any], reason: str
) -> None:
    rewrite(file, change)
    refused = restored(file, empty_database_url, tmp_path / "new")
    assert refused.exit_code == 1
    assert reason in refused.output and "Traceback" not in refused.output
    assert execute(empty_database_url, "SELECT FROM pg_tables WHERE schemaname = 'public'") == []
    assert not (tmp_path / "new").exists()


def test_a_foreign_file_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"nonsense")
    refused = restored(tmp_path / "b", empty_database_url, tmp_path / "new")
    assert refused.exit_code == 1 and "is not a complete Frontrow backup" in refused.output


def test_only_the_three_members_are_read(file: Path, empty_database_url: str, tmp_path: Path) -> None:
    rewrite(file, lambda members: members.update({"../stray": b"x", str(tmp_path / "absolute"): b"x"}))
    done = restored(file, empty_database_url, tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"b", "old", "new"}


def test_links_are_not_followed_out_of_it(file: Path, empty_database_url: str, tmp_path: Path) -> None:
    with tarfile.open(file) as archive:
        content = {name: archive.extractfile(name).read() for name in (MANIFEST, SECRETS)}
    with tarfile.open(file, "w") as archive:
        for name, text in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        link = tarfile.TarInfo(DATABASE)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refused = restored(file, empty_database_url, tmp_path / "new")
    assert refused.exit_code == 1 and "is not a complete Frontrow backup" in refused.output


def test_a_database_without_a_schema_is_not_backed_up(empty_database_url: str, tmp_path: Path) -> None:
    refused = run("backup", tmp_path / "b", "--data-dir", tmp_path, FRONTROW_DATABASE_URL=empty_database_url)
    assert refused.exit_code == 1 and "nothing to back up" in refused.output
    assert not (tmp_path / "b").exists()
