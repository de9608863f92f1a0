"""The client's files are packaged and served, and nothing else is."""

import re
from pathlib import Path

import pytest

import web
from tests.api.venue import Venue

pytestmark = pytest.mark.gen_test

CLIENT = Path(web.__file__).parent / "client"
PROJECT = CLIENT.parents[1]


async def test_every_module_is_served_for_any_site_and_revalidated(venue: Venue) -> None:
    for module in CLIENT.glob("*.js"):
        served = await venue.guest.send("GET", f"/client/{module.name}")
        assert (served.status, served.body) == (200, module.read_bytes())
        assert "javascript" in served.headers["Content-Type"]
        assert served.headers["Access-Control-Allow-Origin"] == "*"
        assert served.headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": served.headers["ETag"]}
        assert (await venue.guest.send("GET", f"/client/{module.name}", headers=known)).status == 304


async def test_the_component_and_its_types_are_served_for_any_site(venue: Venue) -> None:
    for name, media_type in (("frontrow-seats.js", "text/javascript"), ("frontrow-seats.d.ts", "text/plain")):
        served = await venue.guest.send("GET", f"/client/{name}")
        assert served.body == (CLIENT.parent / "dist" / name).read_bytes()
        assert served.headers["Content-Type"].startswith(media_type)
        assert served.headers["Access-Control-Allow-Origin"] == "*"
        assert served.headers["Cache-Control"] == "no-cache"
    assert (await venue.guest.send("GET", "/client/index.html")).status == 404


def test_modules_import_nothing_but_each_other() -> None:
    modules = {module.name: module.read_text() for module in CLIENT.glob("*.js")}
    imported = {
        name for text in modules.values() for name in re.findall(r"(?:from|import) ?\(?'([^']+)'", text)
    }
    assert imported <= {f"./{name}" for name in modules}


@pytest.mark.parametrize("path", ["package.json", "../__init__.py", "%2e%2e/__init__.py", "nothing.js", ""])
async def test_nothing_else_is_served(venue: Venue, path: str) -> None:
    assert (await venue.guest.send("GET", f"/client/{path}")).status == 404


def test_the_documentation_has_every_limit() -> None:
    defaults = re.findall(r"^  (\w+): ([\d_]+),$", (CLIENT / "limits.js").read_text(), re.MULTILINE)
    documented = re.findall(
        r"^\| `(\w+)` \| ([\d,]+) \|", (PROJECT / "docs/client.md").read_text(), re.MULTILINE
    )
    assert [(name, value.replace("_", "")) for name, value in defaults] == [
        (name, value.replace(",", "")) for name, value in documented
    ]
