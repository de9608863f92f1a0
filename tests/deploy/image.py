"""Follows the Dockerfile without a container engine: each RUN in a chroot with mounts of its own.

The base image is replaced by this machine's system, read-only, with its Python in a new virtual environment.
So this finds missing files, packages and rights, and wrong paths, but not what the base image lacks. It needs
root.
"""

import json
import os
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_PYTHON = Path("/image")
"""Stand-in for the base image's Python: the parts of it that we need."""
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", sys.base_prefix, "/opt/*", "/dev", "/proc", "/sys")
_PACKAGE_INDEX = (".npmrc", ".config/pip", ".pip")
_STEP_SECONDS = 900


class StepFailed(Exception):
    """An instruction of the Dockerfile failed."""


class Stage:
    """A stage of the build.

    Args:
        root: a directory that becomes its root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            "PATH": f"{_PYTHON}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        }
        self.directory = "/"
        self.user = "0"
        self.command: list[str] = []
        self.health_check: list[str] = []
        for name in ("tmp", "root", "home", "src", "var/lib", "opt"):
            (root / name).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        shutil.copytree("/etc", root / "etc", symlinks=True, ignore_dangling_symlinks=True)
        for name in _PACKAGE_INDEX:
            if (found := Path.home() / name).is_dir():
                shutil.copytree(found, root / "root" / name)
            elif found.exists():
                shutil.copy(found, root / "root" / name)
        self._binds = list(self._mount_points())
        self.run(f"{sys._base_executable} -m venv {_PYTHON}")  # type: ignore[attr-defined]

    def _mount_points(self) -> Iterator[Path]:
        for pattern in _SYSTEM:
            for path in Path("/").glob(pattern.lstrip("/")):
                inside = self.root / path.relative_to("/")
                if path.is_symlink():
                    inside.symlink_to(path.readlink())
                elif path.is_dir():
                    inside.mkdir(parents=True, exist_ok=True)
                    yield path

    def run(self, command: str, *, user: str = "0") -> str:
        """Run a shell command in the stage, in a network of its own if it is not root's.

        Returns:
            Its output.

        Raises:
            StepFailed: its exit status is not 0.
        """
        mounts = [
            f"mount --rbind {path} {self.root}{path}"
            + (
                ""
                if str(path) in ("/dev", "/proc", "/sys")
                else f" && mount -o remount,bind,ro {self.root}{path}"
            )
            for path in self._binds
        ]
        network = [] if user == "0" else ["--net"]
        variables = {
            **{
                name: value
                for name, value in os.environ.items()
                if name.startswith(("PIP_", "NPM_", "SSL_", "NODE_"))
            },
            "HOME": "/root" if user == "0" else "/",
            **self.environment,
        }
        enter = ["chroot", f"--userspec={user}", str(self.root), "/usr/bin/env", "-i"]
        enter += [f"{name}={value}" for name, value in variables.items()]
        inside = shlex.join([*enter, "sh", "-ec", f"cd {self.directory}; {command}"])
        script = " && ".join([*mounts, *(["ip link set lo up"] if network else []), f"exec {inside}"])
        done = subprocess.run(  # noqa: S603 - our own commands
            [
                shutil.which("unshare") or "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                *network,
                "sh",
                "-c",
                script,
            ],
            capture_output=True,
            text=True,
            timeout=_STEP_SECONDS,
        )
        if done.returncode:
            raise StepFailed(f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def path(self, inside: str) -> Path:
        """Return a path of the stage as this process sees it."""
        return self.root / (Path(self.directory) / inside).relative_to("/")


def _instructions() -> Iterator[tuple[str, str]]:
    lines = (
        line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")
    )
    for whole in "\n".join(lines).replace("\\\n", " ").splitlines():
        if whole.strip():
            name, _, rest = whole.partition(" ")
            yield name, rest.strip()


def _context(place: Path) -> Path:
    """Copy what a container engine would get: the repository without what .dockerignore leaves out."""
    first, *others = [
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    ]
    assert first == "*"
    left_out = [line for line in others if line[0] != "!"]

    def ignored(directory: str, names: list[str]) -> set[str]:
        inside = Path(directory).relative_to(REPOSITORY)
        return {name for name in names if any((inside / name).match(pattern) for pattern in left_out)}

    for kept in (line[1:] for line in others if line[0] == "!"):
        source, target = REPOSITORY / kept, place / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    return place


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def build(place: Path) -> Stage:
    """Follow the Dockerfile.

    Args:
        place: an empty directory.

    Returns:
        The last stage.

    Raises:
        StepFailed: an instruction failed.
    """
    context = _context(place / "context")
    stages: dict[str, Stage] = {}
    for name, rest in _instructions():
        words = shlex.split(rest)
        if name == "FROM":
            assert words[0].startswith("python:") and words[0].endswith("-slim"), words
            label = words[2] if len(words) == 3 else "final"
            stage = stages[label] = Stage(place / label)
        elif name == "RUN":
            stage.run(rest)
        elif name == "WORKDIR":
            stage.directory = rest
            stage.path(".").mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            origin = context
            if words[0].startswith("--from="):
                origin = stages[words.pop(0).removeprefix("--from=")].root
            for source in words[:-1]:
                _copy(origin / source.lstrip("/"), stage.path(words[-1]))
        elif name == "ENV":
            for assignment in words:
                variable, _, value = assignment.partition("=")
                stage.environment[variable] = string.Template(value).substitute(stage.environment)
        elif name == "USER":
            stage.user = rest
        elif name in ("CMD", "HEALTHCHECK"):
            command = json.loads(rest[rest.index("[") :])
            if name == "CMD":
                stage.command = command
            else:
                stage.health_check = command
        elif name not in ("EXPOSE", "VOLUME"):
            raise StepFailed(f"{name}: the test does not know this instruction")
    return stage
