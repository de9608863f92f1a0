"""The examples of environments in `deploy/` and `.env.example`, and those in docs/deployment.md."""

import re
import secrets
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "deployment.md"
DATABASE_URL = "postgresql://frontrow:hush@localhost:5432/frontrow"
SITE = "https://tickets.example.com"


def ran(*command: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603 - an example's


def random_secret() -> str:
    """Return a secret like those that operators generate."""
    return secrets.token_urlsafe(48)


def filled_in(path: Path) -> dict[str, str]:
    """Return the variables of an example with the empty values filled in."""
    random = {
        "FRONTROW_DATABASE_URL": DATABASE_URL,
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "NATS_TOKEN": secrets.token_hex(24),
    }
    made = {name: value or random.get(name, "") for name, value in variables_in(path.read_text()).items()}
    for name in ("FRONTROW_JWT_SECRET", "FRONTROW_PERSONAL_DATA_KEY"):
        assert made[name] == "", "examples must not contain a secret that an operator might keep"
        made[name] = random_secret()
    return made


def blocks_of_page() -> list[str]:
    """Return the blocks of commands and configuration in docs/deployment.md."""
    return re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def variables_in(text: str) -> dict[str, str]:
    """Return the variables that lines of `NAME=value` set."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
