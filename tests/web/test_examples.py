"""The examples are compiled with the npm package from its tarball, and choose seats in Chromium."""

import shutil
from pathlib import Path

import pytest

from tests.house import House
from tests.site.blocks import ALL, PROJECT
from tests.web.browser import Browser
from tests.web.examples_install import EXAMPLES, installed_packages
from tests.web.folder_server import served
from tests.web.halls import demo_screening, open_hall
from tests.web.npm_project import NPM, TARBALL, run_node, unpack

pytestmark = pytest.mark.gen_test(timeout=420)

PAGES = {
    "plain": "plain/index.html",
    "react": "react/dist/index.html",
    "vue": "vue/dist/index.html",
    "angular": "angular/dist/index.html",
}
NOT_COPIED = shutil.ignore_patterns("node_modules", "dist", "compiled")


MISTAKES = {
    '[screening]="screening"': ('[screening]="server"', "Type 'string' is not assignable to type 'number'"),
    "$event.detail.message": ("$event.detail.words", "Property 'words' does not exist on type 'Problem'"),
    "hall.holdBest(2)": ("hall.holdBest(true)", "Argument of type 'boolean' is not assignable"),
}
"""Text of Angular's template, its replacement, and the compiler's message about the replacement."""


def copied(example: str, folder: Path) -> Path:
    """Copy an example and put the tarball into `node_modules`. Returns the folder of examples."""
    packages = installed_packages() / "node_modules"
    assert packages.exists(), "The packages of the examples are not installed: run `make examples`"
    (folder / "node_modules").symlink_to(packages)
    examples = folder / "examples"
    shutil.copytree(EXAMPLES / example, examples / example, ignore=NOT_COPIED)
    shutil.copy(EXAMPLES / "package.json", examples)
    unpack(TARBALL, examples / "node_modules")
    return examples


async def build(example: str, folder: Path) -> Path:
    """Build an example as users do. Returns the folder of examples."""
    examples = copied(example, folder)
    await run_node(examples / example, NPM, "run", "build", "--silent")
    return examples


@pytest.mark.parametrize("example", PAGES)
async def test_a_seat_that_is_chosen_in_an_example_is_taken_for_others(
    example: str, database_url: str, tmp_path: Path, browser: Browser
) -> None:
    examples = await build(example, tmp_path)
    async with served(examples) as site:
        house = House(database_url, tmp_path / "data", allowed_origins=[site])
        await house.open()
        try:
            await choose_seats(browser, house, f"{site}/{PAGES[example]}")
        finally:
            await house.close()


async def choose_seats(browser: Browser, house: House, url: str) -> None:
    screening, _ = await demo_screening(house)
    somebody = await open_hall(browser, house, screening)
    page = await browser.open(f"{url}?server={house.base_url}&screening={screening}", apart=True)
    await page.click_on("button", "Row C seat 8")
    await page.shows("C8: 12.5 EUR")
    await somebody.until(
        "hall.seats.some(({ row, number, status }) => row + number === 'C8' && status === 'reserved')"
    )
    await page.click_on("button", "Best two seats")
    await somebody.until("hall.seats.filter(({ status }) => status === 'reserved').length === 3")
    await page.click_on("button", "Continue to checkout")
    await page.shows("To pay: 37.5 EUR")
    assert await page.accessibility_violations() == []


async def test_mistakes_in_templates_of_angular_are_found(tmp_path: Path) -> None:
    example = copied("angular", tmp_path) / "angular"
    template = example / "src/screening.ts"
    text = template.read_text()
    for right, (wrong, _) in MISTAKES.items():
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    template.write_text(text)
    with pytest.raises(AssertionError) as refused:
        await run_node(example, tmp_path / "node_modules/@angular/compiler-cli/bundles/src/bin/ngc.js")
    for _, complaint in MISTAKES.values():
        assert complaint in str(refused.value)


def test_the_documentation_quotes_each_example() -> None:
    quotations = [block for block in ALL if block.title.startswith("examples/")]
    assert {block.title.split("/")[1] for block in quotations} == set(PAGES)
    for block in quotations:
        assert block.code in (PROJECT / block.title).read_text(), f"{block.place} is not {block.title}"
