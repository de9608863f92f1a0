"""A real Prometheus with the example in `deploy/`, which scrapes servers of a test."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from tornado.httpclient import AsyncHTTPClient
from tornado.httputil import url_concat

from tests.debian import program
from tests.proxies.programs import DEPLOY, free_port, running

RULES = sorted((DEPLOY / "prometheus").glob("*.yml"))
PATIENCE_SECONDS = 90.0


class Prometheus:
    """Asks a Prometheus.

    Args:
        port: of its API.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"
        self._http = AsyncHTTPClient()

    async def get(self, path: str, **query: str) -> Any:
        """Return the data of a response.

        Raises:
            AssertionError: Prometheus does not accept the request, for example because a query is malformed.
        """
        response = await self._http.fetch(
            url_concat(self._url + path, query), raise_error=False, request_timeout=60
        )
        answer = json.loads(response.body)
        assert answer["status"] == "success", f"{query}: {answer}"
        return answer["data"]

    async def results(self, query: str) -> list[dict[str, Any]]:
        """Return the results of a query."""
        data = await self.get("query", query=query)
        found: list[dict[str, Any]] = data["result"]
        return found

    async def without_results(self, queries: Sequence[str]) -> set[str]:
        """Wait until all queries have results; return those that had none after `PATIENCE_SECONDS`."""
        missing = set(queries)
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while missing and asyncio.get_running_loop().time() < until:
            for query in tuple(missing):
                if await self.results(query):
                    missing.remove(query)
            if missing:
                await asyncio.sleep(1)
        return missing


@asynccontextmanager
async def watching(folder: Path, ports: Sequence[int]) -> AsyncIterator[Prometheus]:
    """Run Prometheus for the duration of the block.

    Args:
        folder: for its configuration and data.
        ports: of the servers that it scrapes every second.
    """
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(path) for path in RULES]
    (scrape,) = config["scrape_configs"]
    del scrape["dns_sd_configs"]
    scrape["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(yaml.safe_dump(config))
    command = [
        str(program("prometheus")),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    async with running(command, port):
        yield Prometheus(port)
