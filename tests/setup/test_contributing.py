"""Everything that CONTRIBUTING.md and the forms of the forge name exists, and the commit hook runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "docs" / "releasing.md",
    ROOT / "docs" / "testing.md",
)
BIN = Path(sys.prefix) / "bin"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_targets_and_paths_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    named = re.findall(r"`((?:\.?[\w.-]+/)+[\w.-]*)`", text)
    made = re.compile(r"NAME|(^|/)build(/|$)")
    assert [path for path in named if not made.search(path) and not (ROOT / path).exists()] == []


def test_every_room_has_an_owner() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    owned = {line.split()[0].strip("/") for line in lines if line.startswith("/")}
    assert all((ROOT / room).is_dir() for room in owned)
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"} <= owned


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_issue_forms_ask_something(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert form.keys() >= {"name", "description", "body"}
    questions = [field for field in form["body"] if field["type"] != "markdown"]
    assert {"textarea", "input", "dropdown"} >= {field["type"] for field in questions}
    assert len({field["id"] for field in questions}) == len(questions)
    assert any(field.get("validations", {}).get("required") for field in questions)


def test_the_commit_hook_refuses_what_lint_refuses(tmp_path: Path) -> None:
    """The hook runs in a repository of its own, since this one may be exported without its history."""

    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache")}

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)  # noqa: S603

    run("git", "init", "--quiet")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".pre-commit-config.yaml").write_text((ROOT / ".pre-commit-config.yaml").read_text())
    (tmp_path / "module.py").write_text("import os\n")
    run("git", "add", "module.py", ".pre-commit-config.yaml")
    checked = run(BIN / "pre-commit", "run", "ruff-check", "--files", "module.py")
    assert checked.returncode == 1
    assert "F401" in checked.stdout
