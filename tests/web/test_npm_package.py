"""The npm package: what is in it, that the same sources make the same bytes, and that it can be used."""

import asyncio
import json
import tarfile
from pathlib import Path

import pytest

from frontrow import __version__
from tests.house import House
from tests.site.blocks import blocks
from tests.web.halls import demo_screening
from tests.web.node import SCRIPTS
from tests.web.npm_project import TARBALL, new_project, run_node
from web.build import CONTENTS, NPM, WEB, build_npm, npm_contents

pytestmark = pytest.mark.gen_test(timeout=420)

USER = 7
TSC = WEB / "node_modules/typescript/bin/tsc"
VITE = WEB / "node_modules/vite/bin/vite.js"
STRICT = (
    *("--strict", "--noEmit", "false", "--target", "es2022", "--lib", "es2023,dom,dom.iterable"),
    *("--module", "nodenext"),
)
"""Libraries are checked, too."""
ONE_CLIENT = """
import { ScreeningClient } from 'frontrow';
globalThis.client = new ScreeningClient('https://tickets.example', 12, 'token');
"""
BUNDLE = """
export default { build: { lib: { entry: 'one_client.js', formats: ['es'], fileName: () => 'bundle.js' } } };
"""
OF_THE_READER = """
declare function fetchToken(): Promise<string>;
declare function offerOthers(details: object): void;
declare function paint(...seat: unknown[]): void;
declare function pay(cart: object): void;
"""
"""Declarations that the documentation leaves to its readers."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    new_project(folder)
    return folder


async def test_each_file_has_a_known_source_and_the_same_sources_make_the_same_bytes(tmp_path: Path) -> None:
    await asyncio.to_thread(build_npm, tmp_path)
    again = tmp_path / TARBALL.name
    package = tmp_path / "package"
    listed = npm_contents(package)
    assert listed == CONTENTS.read_text(), "run `make package`, then `python -m web.build npm-contents`"
    with tarfile.open(again) as archive:
        packed = {member.name.removeprefix("package/") for member in archive.getmembers()}
    assert packed == {line.split()[0] for line in listed.splitlines()}
    assert again.read_bytes() == TARBALL.read_bytes(), "out of date: run `make package`"
    for module in (WEB / "client").glob("*.js"):
        assert (package / "client" / module.name).read_bytes() == module.read_bytes()
    assert (package / "LICENSE").read_bytes() == (WEB.parent / "LICENSE").read_bytes()


def test_its_manifest_has_the_version_of_the_project_and_only_what_users_need(project: Path) -> None:
    manifest = json.loads((project / "node_modules/frontrow/package.json").read_text())
    assert manifest["version"] == __version__
    assert "devDependencies" not in manifest and "scripts" not in manifest
    # The version with which the pages are built and tested.
    ours = json.loads((WEB / "package.json").read_text())["dependencies"]
    assert manifest["dependencies"] == {"openapi-fetch": f"^{ours['openapi-fetch']}"}


async def test_linters_for_packages_find_nothing(tmp_path: Path) -> None:
    tools = NPM / "node_modules"
    said = await run_node(tmp_path, tools / "publint/src/cli.js", "run", TARBALL, "--strict")
    assert "All good!" in said
    # It has ES modules only.
    await run_node(tmp_path, tools / "@arethetypeswrong/cli/dist/index.js", TARBALL, "--profile", "esm-only")


async def test_a_bundle_with_one_client_has_nothing_else(project: Path) -> None:
    (project / "one_client.js").write_text(ONE_CLIENT)
    (project / "vite.config.js").write_text(BUNDLE)
    await run_node(project, VITE, "build", "--logLevel", "warn")
    bundle = (project / "dist/bundle.js").read_text()
    assert "bulk_seat_update" in bundle
    # The other clients, the component, the REST client.
    for sign in ("select_best", "subscribe_event", "attachShadow", "Idempotency-Key"):
        assert sign not in bundle


async def test_commonjs_imports_it_as_the_readme_says(project: Path) -> None:
    (block,) = (block for block in blocks("web/npm/README.md") if block.language == "javascript")
    (project / "old.cjs").write_text(
        f"require('node:fs');\n{block.code}\nclient.then(({{ state }}) => console.log(state));\n"
    )
    assert await run_node(project, "old.cjs") == "idle\n"


async def test_a_typed_program_reserves_a_seat_and_sees_it(project: Path, house: House) -> None:
    screening, seats = await demo_screening(house)
    script = project / "use_package.ts"
    script.write_text((SCRIPTS / script.name).read_text())
    await run_node(project, TSC, *STRICT, script)
    arguments = (house.base_url, house.token(USER), str(screening), str(seats[0]["id"]))
    said = await run_node(project, script.with_suffix(".js"), *arguments)
    assert json.loads(said) == [seats[0]["id"], "reserved", True, "not_found", None]


async def test_what_the_documentation_shows_is_typed_rightly(project: Path) -> None:
    shown = [
        block
        for page in ("web/npm/README.md", "docs/client.md")
        for block in blocks(page)
        if block.language == "ts"
    ]
    assert len(shown) == 4
    for number, block in enumerate(shown):
        (project / f"{number}.ts").write_text(block.code + OF_THE_READER)
    await run_node(project, TSC, *STRICT, *(f"{number}.ts" for number in range(len(shown))))
