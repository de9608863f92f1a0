"""The dashboards for Grafana: they fit its schema, and a real Prometheus has an answer to every query.

Grafana itself is not started: neither PyPI, npm nor Debian has it. The models are those that Grafana
generates from its own schema.
"""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from websockets.asyncio.client import connect

from deploy.grafana.build import FOLDER, dashboards
from tests.box_office import make_event, make_type
from tests.catalogue.members import Member, member
from tests.catalogue.programme import open_house
from tests.deploy.prometheus import RULES, watching
from tests.house import House
from tests.several_servers import NodesInProcess

register_default_plugins()  # the options of panels and the queries of data sources have models of their own

BOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")
}

WITHOUT_DATA = {"frontrow_worker_": "tests/acceptance/test_workers.py reads them"}
"""Series without data in a cluster of servers with one worker each, by their prefix, and the reason."""

_SELECTOR = re.compile(r"\b(?:up|process_\w+|(?:\w+:)?frontrow[_:][\w:]+)(?:\{[^}]*\})?")


PANELS = {
    f"{name}: {panel['title']}": panel for name, board in sorted(BOARDS.items()) for panel in board["panels"]
}


def queries() -> set[str]:
    """The queries of all panels and variables, and the selectors of all rules."""
    found = {target["expr"] for panel in PANELS.values() for target in panel["targets"]}
    for board in BOARDS.values():
        (instances,) = (v["query"] for v in board["templating"]["list"] if v["name"] == "instance")
        found |= set(re.findall(r"^label_values\((.+), instance\)$", instances))
    variables = {"$instance": ".*", "$__rate_interval": "1m", "$__range": "5m"}
    for name, value in variables.items():
        found = {query.replace(name, value) for query in found}
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                found |= {rule["record"]} if "record" in rule else set()
                found |= set(_SELECTOR.findall(rule["expr"]))
    return {query for query in found if not any(name in query for name in WITHOUT_DATA)}


def test_the_files_are_those_of_the_description() -> None:
    assert {file: file.read_text() for file in FOLDER.glob("*.json")} == dict(dashboards()), "make dashboards"


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_has_what_it_needs(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == f"frontrow-{name}"
    assert board["description"] and "frontrow" in board["tags"]
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert {"instance"} == variables.keys() - {"datasource"}
    ids = [panel["id"] for panel in board["panels"]]
    titles = [panel["title"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) and len(set(titles)) == len(titles)


def as_grafana_reads_it(board: dict[str, Any]) -> object:
    """Return what the models keep of a dashboard."""
    return json.loads(JSONEncoder().encode(Dashboard.from_json(board)))


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_fits_the_schema(name: str) -> None:
    assert as_grafana_reads_it(BOARDS[name]) == BOARDS[name]


def test_fields_that_are_not_in_the_schema_are_found() -> None:
    panel = next(panel for panel in BOARDS["sale"]["panels"] if panel["type"] == "timeseries")
    for wrong in (
        {**panel, "titel": "Seats sold"},
        {**panel, "options": {**panel["options"], "legends": {}}},
        {**panel, "targets": [{**panel["targets"][0], "expression": "up"}]},
    ):
        board = {**BOARDS["sale"], "panels": [wrong]}
        assert as_grafana_reads_it(board) != board


def test_dashboards_have_different_names() -> None:
    for field in ("uid", "title", "description"):
        assert len({board[field] for board in BOARDS.values()}) == len(BOARDS) == 7


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"] and panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    letters = [target["refId"] for target in panel["targets"]]
    assert letters and len(set(letters)) == len(letters)
    for target in panel["targets"]:
        assert "$instance" in target["expr"] or target["expr"].startswith("frontrow:")


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_a_legend_says_what_each_line_is(panel: dict[str, Any]) -> None:
    """Legends are clear with one server and with several: an address alone is not enough."""
    if panel["type"] != "timeseries":
        return
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert all(legends) and len(set(legends)) == len(legends)
    for target in panel["targets"]:
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"])))) - {"le"}
        assert grouped == set(re.findall(r"{{(\w+)}}", target["legendFormat"])), "lines look alike"
        assert target["legendFormat"] != "{{instance}}"


@pytest.mark.parametrize("name", BOARDS)
def test_panels_do_not_overlap(name: str) -> None:
    places = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    for place in places:
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


class Cluster(House):
    """Two nodes."""

    def _new_server(self) -> NodesInProcess:
        return NodesInProcess(self.database_url, 2, self._given)


async def a_bit_of_everything(house: Cluster) -> None:
    """Sell, cancel, refuse, watch and log in, on both nodes."""
    screening, seats = await open_house(house)
    event = await make_event(house)
    await make_type(house, event)
    ada = await member(house)
    await Member(house, ada.email, "a wrong password").log_in()
    user = house.user(ada.user_id)
    urls = [
        f"ws://127.0.0.1:{port}/ws/screenings/{screening}?token={house.token(9)}"
        for port in house.server.ports
    ]
    async with connect(urls[0], proxy=None) as one, connect(urls[1], proxy=None) as another:
        for socket in (one, another):
            await socket.recv()
        for seat in seats[:4]:
            assert (await user.reserve(screening, [seat])).status == 201
        for socket in (one, another):
            await socket.recv()
    await house.user(8).reserve(screening, seats[:1])
    booked = await user.book_reservation(screening, seats[:2], "pay-1")
    assert booked.status == 201, booked.body
    await user.cancel_ticket(booked.json[0]["id"])


@pytest.mark.gen_test(timeout=300)
async def test_every_query_has_an_answer(database_url: str, tmp_path: Path, nats_server: object) -> None:
    house = Cluster(database_url, tmp_path / "house")
    await house.open()
    try:
        await a_bit_of_everything(house)
        async with watching(tmp_path, house.server.ports) as prometheus:
            assert await prometheus.without_results(sorted(queries())) == set()
            groups = (await prometheus.get("rules"))["groups"]
            for rule in (rule for group in groups for rule in group["rules"]):
                assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule
    finally:
        await house.close()
