"""The documentation's site: it is made without warnings, and needs nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.application import RESOURCES
from tests.site.blocks import PROJECT
from tests.web.browser import Browser
from tests.web.folder_server import served

pytestmark = pytest.mark.gen_test(timeout=420)

_LOADED = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=["']?(https?:)?//""")
_PIPES = re.compile(r"^(?:<p>)?\| .*", re.MULTILINE)


def made(folder: Path) -> dict[Path, str]:
    """Make the site, which checks links and anchors; return its pages. Any warning is an error."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ran = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)  # noqa: S603
    assert ran.returncode == 0, ran.stderr
    return {path.relative_to(folder): path.read_text() for path in folder.rglob("*.html")}


async def test_the_site_is_whole(tmp_path: Path, browser: Browser) -> None:
    pages = made(tmp_path)
    for path, html in pages.items():
        assert not _LOADED.findall(html), path
        assert not _PIPES.findall(html), f"{path}: a row that does not belong to its table"
    described = "".join(html for path, html in pages.items() if "rest" in path.parts)
    for resource in RESOURCES:
        for endpoint in resource.endpoints:
            assert f'id="{endpoint.name.replace("_", "-")}"' in described, endpoint.name
    guests = pages[Path("reference", "rest", "guests.html")]
    assert 'href="#type-guesttoken"' in guests and 'id="type-guesttoken"' in guests
    async with served(tmp_path) as site:
        page = await browser.open(f"{site}/explanation.html")
        await page.until("document.querySelectorAll('div.mermaid').length === 4")
        await page.load(f"{site}/index.html")
        await page.fill("Search", "epoch")
        await page.until("!!document.querySelector('.md-search-result__link')")
