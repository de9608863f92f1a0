"""Imports movies from a file like `data/movies.json` of the npm package vega-datasets.

Each row is converted to a request body of the API and validated like one; invalid rows are skipped and
reported with their numbers. A film is identified by its title and release date as listed, so the same file
can be imported again, also after corrections.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from marshmallow import ValidationError

from api.catalogue.movies import MovieDetails
from persistence.catalogue.movies import ImportCounts, ImportedMovie, Movies

BATCH_SIZE = 500

_details = MovieDetails()


class BadRow(NamedTuple):
    """A row that is skipped.

    Attributes:
        number: of the row, counted from 1.
        reason: a sentence for people.
    """

    number: int
    reason: str


class BatchReport(NamedTuple):
    """The result of importing some consecutive rows."""

    row_count: int
    imported: ImportCounts
    bad_rows: Sequence[BadRow]

    @property
    def unchanged(self) -> int:
        """Number of films that already existed with the same data."""
        return self.row_count - len(self.bad_rows) - self.imported.created - self.imported.changed


async def import_movies(movies: Movies, rows: Sequence[Any], today: date) -> AsyncIterator[BatchReport]:
    """Import films in batches.

    Args:
        movies: the repository to import into.
        rows: the decoded rows of the file.
        today: decides which release dates are in the future.
    """
    known: dict[str, int] = {}
    for first in range(0, len(rows), BATCH_SIZE):
        batch = rows[first : first + BATCH_SIZE]
        films, bad_rows = [], []
        for number, row in enumerate(batch, first + 1):
            try:
                film = movie_of(row, today)
            except ValueError as error:
                bad_rows.append(BadRow(number, str(error)))
                continue
            if (before := known.setdefault(film.import_key, number)) != number:
                bad_rows.append(BadRow(number, f"the same film as row {before}"))
                continue
            films.append(film)
        imported = await movies.import_batch(films) if films else ImportCounts(0, 0)
        yield BatchReport(len(batch), imported, bad_rows)


def movie_of(row: Any, today: date) -> ImportedMovie:
    """Convert a row to a film.

    Args:
        row: an object with the columns of the file; unknown columns are ignored.
        today: decides whether the release date is in the future.

    Raises:
        ValueError: the row is invalid by the rules of the API; the message names the fields.
    """
    if not isinstance(row, Mapping):
        raise ValueError("not an object")
    document = {
        "title": _text(row.get("Title")),
        "genre": row.get("Major Genre") or "",
        "rating": row.get("MPAA Rating") or "",
        "duration_minutes": row.get("Running Time min"),
        "release_date": _iso_date(row.get("Release Date")),
        "director": _text(row.get("Director")) or "",
        "imdb_rating": row.get("IMDB Rating"),
    }
    try:
        film = _details.load(document)
    except ValidationError as error:
        faults = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise ValueError("; ".join(f"{name}: {' '.join(said)}" for name, said in faults.items())) from error
    import_key = f"{film['title']} ({document['release_date'] or 'undated'})"
    return ImportedMovie(import_key, **{**film, "release_date": _released(film["release_date"], row, today)})


def _text(value: Any) -> Any:
    """Convert a title like 1776, which the file contains as a number, to a string."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _iso_date(value: Any) -> Any:
    """Convert a date like "Jun 12 1998" to ISO format; leave anything else for the API's validation."""
    try:
        return datetime.strptime(value, "%b %d %Y").date().isoformat()
    except (TypeError, ValueError):
        return value


def _released(listed: date | None, row: Mapping[str, Any], today: date) -> date | None:
    """Return the release date with the century corrected.

    Some years were stored with two digits and read as this century: "Dec 15 2039" for "Gone with the Wind". A
    future date is therefore taken as a hundred years earlier if the film already has ratings or box-office
    figures.
    """
    seen = any(row.get(name) is not None for name in ("IMDB Rating", "US Gross", "Worldwide Gross"))
    if listed is None or listed <= today or not seen:
        return listed
    return listed.replace(year=listed.year - 100)
