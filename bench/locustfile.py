"""For those who use Locust: buyers who look at a hall, choose two seats, and buy or leave them.

    frontrow seed --screenings 20 --rows 20 --seats-per-row 30 > seeded.json
    FRONTROW_BENCH_SEEDED=seeded.json locust -f bench/locustfile.py --host http://127.0.0.1:8000

Locust makes up its own users; their tokens are signed with the secret of the server's data directory, named
by FRONTROW_DATA_DIR as for `frontrow token`. It shows how a service behaves. For how fast it can be, use
`frontrow bench`: Locust needs more processor time for a request than this server does.
"""

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, task

from bench.seats import BOOK, CANCEL, RESERVE, TOGGLE, availability_path
from frontrow.settings import load_settings
from frontrow.signing import tokens_of
from tests.acceptance.server_process import SeededScreening

TOKEN_SECONDS = 86_400
BUYING_SHARE = 0.3
"""How many of those who have chosen seats buy them."""

_seeded = json.loads(Path(os.environ.get("FRONTROW_BENCH_SEEDED", "seeded.json")).read_text())
_screenings = [SeededScreening(**screening) for screening in _seeded["screenings"]]
_tokens = tokens_of(load_settings())
_user_ids = itertools.count(random.randrange(10**6, 10**9))


class Buyer(FastHttpUser):
    """Somebody at a seat map. A seat that was faster taken by somebody else is no failure."""

    wait_time = between(0.2, 2)

    def on_start(self) -> None:
        """Come with a token."""
        self._id = next(_user_ids)
        token = _tokens.issue(self._id, ttl_seconds=TOKEN_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}"}

    @task(3)
    def look(self) -> None:
        """See what is free."""
        screening = random.choice(_screenings)
        self.client.get(availability_path(screening.id), name="availability")

    @task(3)
    def choose(self) -> None:
        """Hold two seats, then buy them or give them back."""
        screening = random.choice(_screenings)
        first = random.randrange(screening.first_seat_id, screening.last_seat_id)
        selection = {"screening_id": screening.id, "seat_ids": [first, first + 1]}
        if not self._post(RESERVE, selection, "reserve"):
            return
        if random.random() < BUYING_SHARE:
            self._post(BOOK, {**selection, "payment_id": f"locust-{self._id}-{first}"}, "book")
        else:
            path = f"{CANCEL}/{screening.id}?seat_ids={first},{first + 1}"
            self.client.delete(path, headers=self._headers, name="cancel")

    @task(1)
    def click(self) -> None:
        """Toggle one seat."""
        screening = random.choice(_screenings)
        seat_id = random.choice(screening.seat_ids)
        self._post(TOGGLE, {"screening_id": screening.id, "seat_id": seat_id}, "toggle")

    def _post(self, path: str, body: dict[str, Any], name: str) -> bool:
        """Whether it was done."""
        with self.client.post(
            path, json=body, headers=self._headers, name=name, catch_response=True
        ) as answer:
            if answer.status_code == 409:
                answer.success()
            return bool(answer.status_code in (200, 201))
