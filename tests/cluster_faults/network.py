"""Machines on one network, made of Linux network namespaces, with links that can be cut in either direction.

Each host has a namespace and an address of its own. They are joined by a bridge in a further namespace, so
nothing touches the network of this machine. A direction is cut by giving the sender a wrong hardware address
for the receiver: packets leave and nobody takes them, as if a cable had broken. No connection is told. With
another host's hardware address they take a way round through that host.

This needs Linux with the programs `ip`, `unshare` and `nsenter`, and unprivileged user namespaces unless the
tests run as root.
"""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes import end
from tests.relay import Relay, Stream

STARTED_SECONDS = 60.0
_PATIENCE_SECONDS = 60.0
_ROOT = Path(__file__).parents[2]
_NOBODY = "02:00:00:00:00:fe"
_SUBNET = "10.77.0"
_BY_ROOT = os.geteuid() == 0
_NEW_USER = () if _BY_ROOT else ("--user", "--map-root-user")
_ENTER_USER = () if _BY_ROOT else ("--user", "--preserve-credentials")


class NoNamespaces(Exception):
    """This machine does not allow network namespaces, or lacks a program."""


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our commands
    except FileNotFoundError as error:
        raise NoNamespaces(f"{error}; on Debian: apt-get install iproute2 util-linux") from error
    if done.returncode:
        raise NoNamespaces(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}. Tests of partitions need network "
            "namespaces: run them as root, or allow user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0)"
        )


class _Namespace:
    """A network namespace, which lives as long as a process that does nothing."""

    _enter_user = _ENTER_USER

    def __init__(self, *command: str) -> None:
        try:
            # It is ended in `close`, and by the end of its standard input if this process is killed.
            self._keeper = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "sh", "-c", "echo; exec cat"], stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
        except FileNotFoundError as error:
            raise NoNamespaces(f"{error}; on Debian: apt-get install util-linux") from error
        assert self._keeper.stdout is not None and self._keeper.stderr is not None
        if not self._keeper.stdout.readline():
            said = self._keeper.stderr.read().decode().strip()
            self.close()
            raise NoNamespaces(f"`{' '.join(command)}` failed: {said}; run the tests of partitions as root")
        self.pid = self._keeper.pid

    @property
    def enter(self) -> tuple[str, ...]:
        """A command that runs another one in the namespace."""
        return ("nsenter", "--target", str(self.pid), *self._enter_user, "--net")

    def close(self) -> None:
        self._keeper.kill()
        self._keeper.communicate()


class Sender:
    """A host that can send packets.

    Attributes:
        enter: a command that runs another one where the packets come from.
        address: the IP address.
        hardware_address: the MAC address.
        device: the network device.
    """

    enter: tuple[str, ...]
    address: str
    hardware_address: str
    device: str

    def cut(self, to: "Sender") -> None:
        """Lose everything that this host sends to another one."""
        self.divert(to, _NOBODY)

    def divert(self, to: "Sender", hardware_address: str) -> None:
        """Send packets for another host to another hardware address than its own."""
        _run(
            *(*self.enter, *"ip neighbour replace".split(), to.address, "lladdr", hardware_address),
            *("dev", self.device, "nud", "permanent"),
        )

    def mend(self, to: "Sender") -> None:
        """Undo `cut` or `divert`."""
        _run(*self.enter, *"ip neighbour delete".split(), to.address, "dev", self.device)

    def _named(self, number: int, device: str) -> None:
        self.address, self.hardware_address = f"{_SUBNET}.{number}", f"02:00:00:00:00:{number:02x}"
        self.device = device

    def _set_up(self) -> None:
        _run(*self.enter, *"ip link set".split(), self.device, "address", self.hardware_address)
        _run(*self.enter, *"ip address add".split(), f"{self.address}/24", "dev", self.device)
        for device in ("lo", self.device):
            _run(*self.enter, *"ip link set".split(), device, "up")


class Here(Sender):
    """This process, if its network namespace is its own: the bridge is in it."""

    enter = ()

    def __init__(self) -> None:
        self._named(1, "lan")

    def join(self) -> None:
        """Give the bridge its address."""
        self._set_up()

    def close(self) -> None:
        """Do nothing: the bridge ends with the namespace."""


class Host(Sender, _Namespace):
    """A machine.

    Args:
        lan: the namespace of the bridge.
        number: from 2 to 200.
    """

    def __init__(self, lan: "_Namespace | Here", number: int) -> None:
        if isinstance(lan, Here):
            self._enter_user = ()  # one cannot enter the user namespace that one is in
        super().__init__(*lan.enter, "unshare", "--net")
        self._named(number, f"eth{number}")
        self._forwarders: list[Process] = []
        port = f"port{number}"
        _run(*lan.enter, *"ip link add".split(), port, "type", "veth", "peer", "name", self.device)
        _run(*lan.enter, *"ip link set".split(), self.device, "netns", str(self.pid))
        _run(*lan.enter, *"ip link set".split(), port, "master", "lan", "up")
        self._set_up()

    async def forward(self, here: str, there: str) -> None:
        """Forward connections to another address: HOST:PORT in this host, or the path of a Unix socket."""
        process = await asyncio.create_subprocess_exec(
            *(*self.enter, sys.executable, "-m", "tests.cluster_faults.forwarder", here, there),
            cwd=_ROOT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        self._forwarders.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(STARTED_SECONDS):
            assert await process.stdout.readline() == b"ready\n"

    async def stop(self) -> None:
        """End the forwarders, and the host."""
        for process in self._forwarders:
            await end(process, _PATIENCE_SECONDS)
        self.close()


class Network:
    """The hosts, as an async context manager.

    Args:
        names: of the hosts.
        here: this process, if it shall be on the network too.
    """

    def __init__(self, *names: str, here: Here | None = None) -> None:
        self._names = names
        self._here = here
        self._lan: _Namespace | Here | None = None
        self._hosts: dict[str, Host] = {}
        self._cuts: set[tuple[str, str]] = set()

    async def __aenter__(self) -> Self:
        try:
            self._lan = self._here or _Namespace("unshare", *_NEW_USER, "--net")
            _run(*self._lan.enter, *"ip link add lan type bridge".split())
            _run(*self._lan.enter, *"ip link set lan up".split())
            if self._here:
                self._here.join()
            for number, name in enumerate(self._names, start=2):
                self._hosts[name] = Host(self._lan, number)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._hosts.values():
            await host.stop()
        if self._lan is not None:
            self._lan.close()

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def cut(self, sender: str, receiver: str) -> None:
        """Lose everything that one host sends to another."""
        self._hosts[sender].cut(self._hosts[receiver])
        self._cuts.add((sender, receiver))

    def mend(self) -> None:
        """Undo all cuts."""
        for sender, receiver in self._cuts:
            self._hosts[sender].mend(self._hosts[receiver])
        self._cuts.clear()


class Tunnel(Relay):
    """Leads from a port of this machine to a Unix socket, and so into a host."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def connect(self) -> Stream:
        return await asyncio.open_unix_connection(self._path)
