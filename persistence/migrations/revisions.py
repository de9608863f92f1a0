"""The revisions of the schema that this version of the code knows: one SQL file each in `versions/`."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "versions"


class MigrationFailed(Exception):
    """The database could not be reached or migrated; it was not changed."""


def newest_revision() -> str:
    """Return the revision of a fully migrated database, such as "0001_seat_sales"."""
    return max(_known())


def is_known(revision: str) -> bool:
    """Return whether this version of the code knows a revision."""
    return revision in _known()


def _known() -> set[str]:
    return {path.stem.removeprefix("v") for path in _FOLDER.glob("v*.sql")}
