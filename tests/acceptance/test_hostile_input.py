"""Garbage over HTTP: nothing is answered with a 5xx, and the server keeps running.

Schemathesis generates it from the server's own OpenAPI document; `test_fuzzed_sockets` fuzzes WebSockets.
"""

from pathlib import Path

import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.schemathesis_process import Schemathesis
from tests.acceptance.server_process import ServerProcess
from tests.database import execute

_GUIDES_SCREENING = "UPDATE screenings SET id = 123 WHERE id = (SELECT max(id) FROM screenings)"
"""The examples in the document come from the guides: screening 123 with seats 42 to 44."""

# Password hashing as cheap as possible, and no limits on attempts or requests.
_HASTY = {
    "password_memory_kib": 64,
    "password_passes": 1,
    "attempts_per_account": 1_000_000,
    "attempts_per_account_anywhere": 1_000_000,
    "attempts_per_address": 1_000_000,
    "guest_requests_per_address": 1_000_000,
    "guest_requests_per_session": 1_000_000,
    "guest_creations_per_address": 1_000_000,
    "guest_purchase": True,
}


async def _fuzz_http(directory: Path, workplace: Path, examples: int, seconds: int, figures: Figures) -> None:
    async with ServerProcess(directory, **_HASTY) as server, http_session() as session:
        await server.seed(screenings=3, rows=5, seats_per_row=20)
        execute(server.database.url, _GUIDES_SCREENING)
        client = Client(server, session, 7)

        async def stranger(name: str) -> Schemathesis:
            account = {"email": f"{name}@home.example", "password": "correct horse battery"}
            user_id = (await client.send("POST", "/api/v1/auth/register", account)).document["id"]
            return Schemathesis(server, server.token(user_id, admin=True), workplace)

        await (await stranger("curious")).try_operations(examples)
        await (await stranger("leaving")).try_farewells(examples)
        document = (await client.send("GET", "/openapi.json")).document
        await (await stranger("diligent")).follow_links(document, seconds)

        answered = await client.metrics("frontrow_http_requests_total")
        good, refused, failed = (_count(answered, f'status="{digit}') for digit in (2, 4, 5))
        figures(answers_2xx=good, answers_4xx=refused, answers_5xx=failed)
        assert good > refused / 25  # most of what is made up is refused
        assert not failed


def _count(answered: dict[str, float], labelled: str) -> int:
    return int(sum(count for labels, count in answered.items() if labelled in labels))


@pytest.mark.timeout(1300)
@pytest.mark.gen_test(timeout=1200)
async def test_no_request_is_answered_with_a_server_error(
    data_directory: Path, tmp_path: Path, figures: Figures
) -> None:
    await _fuzz_http(data_directory, tmp_path, count_of("HTTP_EXAMPLES", 6), 6, figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_no_request_is_answered_with_a_server_error_in_a_long_run(
    data_directory: Path, tmp_path: Path, figures: Figures
) -> None:
    await _fuzz_http(data_directory, tmp_path, count_of("SOAK_HTTP_EXAMPLES", 1000), 600, figures)
