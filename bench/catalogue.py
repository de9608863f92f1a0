"""What finding films costs: search, filter and advanced search over HTTP, and through which index.

`python -m bench.catalogue FILE` starts a server of its own on a free port of the loopback interface, imports
FILE by `frontrow import-movies`, gives some of the films screenings, and prints one figure per line. What is
searched for are titles of the file, every second one with a typing error, drawn from a fixed seed.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import click

from bench.halls import report
from persistence.catalogue.movies import MOVIES
from tests.acceptance.client import Client, http_session
from tests.acceptance.server_process import ServerProcess
from tests.database import connect, execute

ROUNDS = 400
SCREENINGS, ROWS, SEATS_PER_ROW = 1000, 10, 20

# As many films are shown as there are rooms and slots; a third of all seats is sold.
_SCHEDULE = """
UPDATE screenings SET movie_id = (SELECT id FROM movies ORDER BY id OFFSET (screenings.id % 800) LIMIT 1);
INSERT INTO tickets (screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at)
SELECT screenings.id, number, number, seats.id, 'user:8', 10, 'confirmed', now(), now()
FROM screenings JOIN seats USING (room_id),
    LATERAL (SELECT screenings.id * 1000 + seats.id % 200) AS n (number)
WHERE seats.id % 3 = 0
"""


def misspelt(words: str, draw: random.Random) -> str:
    """Two neighbouring letters swapped."""
    place = draw.randrange(1, len(words) - 1)
    return words[:place] + words[place + 1] + words[place] + words[place + 2 :]


def queries(titles: Sequence[str], genres: Sequence[str], cinema_id: int) -> dict[str, list[str]]:
    """What is asked, by kind."""
    draw = random.Random(1)
    words = [draw.choice(titles) for _ in range(ROUNDS)]
    words[::2] = [misspelt(title, draw) for title in words[::2]]

    def criteria() -> dict[str, object]:
        year = draw.randrange(1970, 2005)
        return {"genre": draw.choice(genres), "year_from": year, "year_to": year + 5, "sort": "-imdb_rating"}

    def asked(path: str, **arguments: object) -> str:
        return f"/api/v1/movies{path}?{urlencode(arguments)}"

    return {
        "list of 100": [asked("/")] * ROUNDS,
        "search": [asked("/search", q=title) for title in words],
        "filter by genre and years": [asked("/filter", **criteria()) for _ in words],
        "filter by cinema": [asked("/filter", cinema_id=cinema_id, **criteria()) for _ in words],
        "advanced search": [
            asked("/advanced-search", q=title, seat_type="standard", cinema_id=cinema_id) for title in words
        ],
        "advanced search by free seats": [
            asked("/advanced-search", seat_type="standard", cinema_id=cinema_id, **criteria()) for _ in words
        ],
        "trending": [asked("/trending", size=20)] * ROUNDS,
        "recommended": [asked("/recommended", size=20)] * ROUNDS,
    }


async def measure(directory: Path, file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Everything, in order."""
    titles = [row["Title"] for row in rows if isinstance(row["Title"], str) and len(row["Title"]) > 3]
    genres = sorted({row["Major Genre"] for row in rows if row["Major Genre"]})
    async with ServerProcess(directory, log_level="warning") as server, http_session() as session:
        began = time.perf_counter()
        summary = await server.command("import-movies", file)
        report(f"import of {summary['rows']} rows", time.perf_counter() - began, "s")
        await server.seed(SCREENINGS, ROWS, SEATS_PER_ROW)
        execute(server.database.url, _SCHEDULE)
        ((cinema_id,),) = execute(server.database.url, "SELECT max(id) FROM cinemas")
        client = Client(server, session, user_id=7)
        for kind, asked in queries(titles, genres, cinema_id).items():
            milliseconds = []
            for path in asked:
                began = time.perf_counter()
                answer = await client.send("GET", path)
                milliseconds.append((time.perf_counter() - began) * 1e3)
                assert answer.status == 200, answer
            report(f"{kind}: median", median(milliseconds), "ms")
            report(f"{kind}: 95th percentile", quantiles(milliseconds, n=20)[-1], "ms")
        click.echo(explained(server.database.url))


def explained(database_url: str) -> str:
    """How the database searches."""
    wanted = {"q": "the godfahter"}
    plain = connect(database_url)
    try:
        with plain.cursor() as cursor:
            statement = f"{MOVIES.select} {MOVIES.where(wanted)} {MOVIES.order_by('relevance')} LIMIT 100"
            cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", wanted)
            return "\n".join(line for (line,) in cursor.fetchall())
    finally:
        plain.close()


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(file: Path) -> None:
    """Print what finding films costs, after importing FILE."""
    with TemporaryDirectory(prefix="frontrow-bench-") as path:
        asyncio.run(measure(Path(path), file, json.loads(file.read_text())))


if __name__ == "__main__":
    main()
