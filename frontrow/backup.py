"""Backup and restore: the database, and the secrets that are needed to verify tickets and read personal data.

A backup is a tar archive with three members, so it can be inspected without this program:

    manifest.json   version, schema, time, and the digest of the dump
    secrets.json    the secrets, by the names of their settings
    database.dump   written by pg_dump in its custom format

The dump is a single snapshot and can be taken while the server sells. The file gets its name only once it is
complete, only its owner can read it, and it never overwrites another file.
"""

import asyncio
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frontrow import __version__
from frontrow.settings import Settings, variable_of
from frontrow.signing import SECRET_FILES, Secrets, secrets_of, store_secret
from persistence.connector import Connector
from persistence.dump import dump, restore
from persistence.errors import DefectiveStatement
from persistence.migrations import is_known, migrate
from persistence.requirements import ABILITIES, FOUND_EXTENSIONS, joined, unmet_requirements
from persistence.server_lock import ServerLock

FORMAT = 1
MANIFEST, SECRETS, DATABASE = "manifest.json", "secrets.json", "database.dump"

_SCHEMA = "SELECT version_num, current_setting('server_version') FROM alembic_version"
_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
_WAITING = "SELECT count(*) FROM outbox WHERE status = 'waiting'"
_MEGABYTE = 1_000_000
_PIECE_BYTES = 1024 * 1024

Report = Callable[[str], None]


class BackupRefused(Exception):
    """The backup cannot be made or restored; nothing was changed."""


def back_up(settings: Settings, database_url: str, file: Path, report: Report) -> None:
    """Write a backup. Blocking.

    Args:
        settings: the server's settings; they hold the secrets or name the directory that does.
        database_url: the database itself, without a pooler.
        file: must not exist.
        report: prints a line of progress.

    Raises:
        BackupRefused: the file exists, its folder does not, or the database has no schema.
        DumpFailed: pg_dump failed.
        StoreUnavailable: the database cannot be reached.
        OSError: the file cannot be written.
    """
    if not file.parent.is_dir():
        raise BackupRefused(
            f"{file.parent} is not a directory; create it or choose another place for {file.name}"
        )
    if file.exists():
        raise BackupRefused(f"{file} exists; choose another name or move it away")
    schema, postgres = asyncio.run(_versions(database_url))
    # The temporary directory is created with mode 0700.
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as drafts:
        dumped, draft = Path(drafts, DATABASE), Path(drafts, "backup.tar")
        report("reading the database")
        dump(database_url, dumped)
        manifest = {
            "format": FORMAT,
            "frontrow": __version__,
            "schema": schema,
            "postgres": postgres,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "database_sha256": _digest(dumped),
        }
        report(f"writing {file} ({dumped.stat().st_size / _MEGABYTE:.1f} MB)")
        with draft.open("xb") as target:
            os.fchmod(target.fileno(), 0o600)
            with tarfile.open(fileobj=target, mode="w") as archive:
                _add(archive, MANIFEST, json.dumps(manifest, indent=2).encode())
                _add(archive, SECRETS, json.dumps(secrets_of(settings)._asdict(), indent=2).encode())
                archive.add(dumped, DATABASE, filter=_anonymous)
            target.flush()
            os.fsync(target.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            raise BackupRefused(f"{file} exists; choose another name or move it away") from None


async def _versions(database_url: str) -> tuple[str, str]:
    """The versions of the schema and of PostgreSQL."""
    connector = Connector(database_url, pool_size=1)
    try:
        ((schema, postgres),) = await connector.run(_SCHEMA)
    except DefectiveStatement:
        raise BackupRefused("The database has no schema, so there is nothing to back up") from None
    finally:
        connector.close()
    return schema, postgres


@contextmanager
def opened_backup(file: Path) -> Iterator["Backup"]:
    """Open and check a backup.

    Raises:
        BackupRefused: the file is not a backup, is damaged, or was made by a later version.
        OSError: the file cannot be read.
    """
    with tempfile.TemporaryDirectory() as drafts:
        try:
            with tarfile.open(file, "r:") as archive:
                backup = Backup(file, archive, Path(drafts, DATABASE))
        except (tarfile.TarError, KeyError, ValueError, TypeError, RecursionError) as exc:
            raise BackupRefused(f"{file} is not a complete Frontrow backup: {exc}") from exc
        yield backup


class Backup:
    """An opened backup.

    Args:
        file: the name of the file, for messages.
        archive: the open archive.
        dumped: path to unpack the dump to when restoring.
    """

    def __init__(self, file: Path, archive: tarfile.TarFile, dumped: Path) -> None:
        self.manifest: dict[str, Any] = json.loads(_read(archive, MANIFEST))
        if self.manifest["format"] != FORMAT or not is_known(self.manifest["schema"]):
            raise BackupRefused(
                f"{file} was made by Frontrow {self.manifest['frontrow']}, which this version "
                f"({__version__}) does not know; restore it with that version or a later one"
            )
        self._created = datetime.fromisoformat(self.manifest["created"]).isoformat()
        self.secrets = _secrets(json.loads(_read(archive, SECRETS)))
        self._dumped = dumped
        with dumped.open("xb") as target, _member(archive, DATABASE) as source:
            while piece := source.read(_PIECE_BYTES):
                target.write(piece)
        if _digest(dumped) != self.manifest["database_sha256"]:
            raise ValueError("the dump of the database is damaged")

    async def restore(self, settings: Settings, database_url: str, report: Report) -> list[str]:
        """Fill an empty database, migrate it to the current schema, and store the secrets.

        Args:
            settings: of the server that will use the database.
            database_url: the database itself, without a pooler.
            report: prints a line of progress.

        Returns:
            What the operator still has to do, one sentence each.

        Raises:
            BackupRefused: something would be overwritten, or the database lacks what it needs.
            DatabaseInUse: a server uses the database.
            DumpFailed: pg_restore failed; the database is unchanged.
            MigrationFailed: the data was restored, but could not be migrated to the current schema.
            StoreUnavailable: the database cannot be reached.
        """
        self._require_room(settings)
        connector = Connector(database_url, pool_size=1)
        lock = ServerLock(connector)
        try:
            await lock.take()
            ((tables,),) = await connector.run(_TABLES)
            if tables:
                raise BackupRefused(
                    f"The database is not empty ({tables} tables); restore into another --data-dir or into "
                    "a newly created database"
                )
            (abilities,) = await connector.run(ABILITIES)
            if missing := list(unmet_requirements(abilities, await connector.run(FOUND_EXTENSIONS))):
                raise BackupRefused(
                    f"The database cannot be filled, and nothing was changed: {joined(missing)}"
                )
            await asyncio.to_thread(self._fill, database_url, report)
            # The nodes that are named as owners do not run here, so new ones need not wait for them.
            await connector.run("UPDATE screening_epochs SET owner = ''")
            ((waiting,),) = await connector.run(_WAITING)
        finally:
            lock.release()
            connector.close()
        self._store_secrets(settings)
        advice = list(self._advice(secrets_of(settings)))
        if waiting:
            advice.append(
                f"{waiting} messages of the outbox wait, and a server delivers them when it starts; some may "
                "have been delivered after the backup was made"
            )
        return advice

    def _fill(self, database_url: str, report: Report) -> None:
        report(f"restoring the backup of {self._created} (schema {self.manifest['schema']})")
        restore(database_url, self._dumped, lambda table: report(f"restoring {table}"))
        for revision in migrate(database_url):
            report(f"applied {revision}")

    def _require_room(self, settings: Settings) -> None:
        """Refuse a data directory whose secrets differ from the backup's, unless settings override them."""
        for name, file in SECRET_FILES.items():
            path = settings.data_dir / file
            given = getattr(settings, name)
            if not given and path.exists() and path.read_text() != getattr(self.secrets, name):
                raise BackupRefused(
                    f"{path} holds another secret than the backup; restore into another --data-dir or move "
                    "this file away"
                )

    def _store_secrets(self, settings: Settings) -> None:
        for name, file in SECRET_FILES.items():
            if not getattr(settings, name) and not (settings.data_dir / file).exists():
                store_secret(settings.data_dir, file, getattr(self.secrets, name))

    def _advice(self, in_force: Secrets) -> Iterator[str]:
        for name, old in (("jwt_secret", "jwt_old_secrets"), ("personal_data_key", "personal_data_old_keys")):
            accepted = {getattr(in_force, name), *getattr(in_force, old)}
            if not {getattr(self.secrets, name), *getattr(self.secrets, old)} <= accepted:
                yield (
                    f"{variable_of(old)} lacks secrets of the backup: add {name} and {old} from its "
                    f"{SECRETS}, or whatever they signed or encrypted will be refused"
                )


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(datetime.now(UTC).timestamp())
    archive.addfile(member, io.BytesIO(content))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _secrets(found: Any) -> Secrets:
    """Read and validate the secrets; called before the database is filled."""
    secrets = Secrets(
        found["jwt_secret"],
        tuple(found["jwt_old_secrets"]),
        found["personal_data_key"],
        tuple(found["personal_data_old_keys"]),
    )
    current = (secrets.jwt_secret, secrets.personal_data_key)
    for secret in (*current, *secrets.jwt_old_secrets, *secrets.personal_data_old_keys):
        if not isinstance(secret, str) or not secret.encode():
            raise ValueError(f"its {SECRETS} lacks a secret")
    return secrets


def _member(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return member


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    with _member(archive, name) as member:
        content: bytes = member.read(_PIECE_BYTES)
        return content
