"""Counts how often somebody looks at screenings and events, in memory.

Looking is frequent and must stay cheap, so a look only increments a number. The server adds the numbers to
the database every few seconds; those of a server that crashes in between are lost.
"""

KEYS_LIMIT = 10_000
"""Most pairs of a screening and a door that are counted between two flushes; looks at others are left out."""

REST, SOCKET, ROOMS, PUBLIC = "rest", "socket", "rooms", "public"


class Looks:
    """The looks since the last `take`."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], int] = {}

    def count(self, screening_id: int, door: str) -> None:
        """Count a look.

        Args:
            screening_id: the screening or event; it need not exist.
            door: the kind of endpoint, one of the constants above.
        """
        counts, key = self._counts, (screening_id, door)
        if key in counts:
            counts[key] += 1
        elif len(counts) < KEYS_LIMIT:
            counts[key] = 1

    def take(self) -> dict[tuple[int, str], int]:
        """Return the looks by screening and door, and begin anew."""
        taken, self._counts = self._counts, {}
        return taken

    def put_back(self, taken: dict[tuple[int, str], int]) -> None:
        """Add looks that could not be stored to those of the next `take`."""
        for key, number in taken.items():
            if key in self._counts or len(self._counts) < KEYS_LIMIT:
                self._counts[key] = self._counts.get(key, 0) + number
