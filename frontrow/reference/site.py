"""Adds to the documentation's site what is not a file of `docs/`: MkDocs calls the functions `on_…`.

These are the pages made from the code, the pages of other folders, and the script that draws the pictures.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from api.application import RESOURCES
from api.documents.asyncapi import asyncapi_document
from api.documents.channels import CHANNELS
from api.documents.openapi import openapi_document
from api.limits import Limits
from frontrow import __version__
from frontrow.reference.codes import code_page
from frontrow.reference.commands import command_page
from frontrow.reference.operations import operation_pages
from frontrow.reference.sockets import socket_page

_PROJECT = Path(__file__).parents[2]
_OTHERS = {
    "deployment-examples.md": _PROJECT / "deploy" / "README.md",
    "changelog.md": _PROJECT / "CHANGELOG.md",
    "assets/favicon.svg": _PROJECT / "web" / "public" / "favicon.svg",
    "assets/mermaid.tiny.js": _PROJECT
    / "web"
    / "node_modules"
    / "@mermaid-js"
    / "tiny"
    / "dist"
    / "mermaid.tiny.js",
}
"""Files of other folders, by their place in the site."""
_MOVED = {"](../deploy/README.md": "](deployment-examples.md", "](docs/": "]("}
"""Beginnings of links that lead elsewhere in the repository, and what they become in the site."""
_SECTION = "Reference"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages made from the code to the navigation."""
    pages = _made()
    operations = [{title: path} for path, (title, _) in pages.items() if "/rest/" in path]
    others = [{title: path} for path, (title, _) in pages.items() if "/rest/" not in path]
    (reference,) = (section[_SECTION] for section in config.nav or () if _SECTION in section)
    reference.extend([{"Made from the code": others}, {"REST operations": operations}])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages made from the code, and the files of other folders."""
    for path, (_, content) in _made().items():
        files.append(File.generated(config, path, content=content))
    for path, source in _OTHERS.items():
        files.append(File.generated(config, path, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links between folders to the pages of the site."""
    for source, path in _MOVED.items():
        markdown = markdown.replace(source, path)
    return markdown


@cache
def _made() -> dict[str, tuple[str, str]]:
    """Return title and Markdown of the pages made from the code, by path."""
    return dict(_pages())


def _pages() -> Iterator[tuple[str, tuple[str, str]]]:
    endpoints = [endpoint for resource in RESOURCES for endpoint in resource.endpoints]
    openapi = openapi_document(endpoints, __version__, Limits())
    asyncapi = asyncapi_document(__version__, CHANNELS)
    yield "reference/commands.md", ("Command line", command_page())
    yield "reference/errors.md", ("Error codes", code_page(openapi))
    yield "reference/sockets.md", ("Messages of the sockets", socket_page(asyncapi))
    for tag, page in operation_pages(openapi).items():
        yield f"reference/rest/{tag.lower().replace(' ', '-')}.md", (tag, page)
