"""A program that carries packets badly: late, out of order, twice, slowly, or not at all.

It does what `tc netem` does, in user space, because many kernels come without that module. Senders whose
links are bad address their packets to the host of this program (`Sender.divert`), which sends them on.

`python -m tests.torture.bad_link DEVICE SEED`. Each line on standard input is a JSON object with all
links that are bad from then on: `{"links": [[SENDER, RECEIVER, HARDWARE_ADDRESS_OF_RECEIVER, BADNESS],
…]}`, and is answered with a line. The program ends with its standard input.
"""

import heapq
import json
import random
import select
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

_IPV4 = 0x0800
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
# Before each frame stands what has been left to the network card: checksums and segmentation.
_OFFLOAD_BYTES = 10
_SENDER, _RECEIVER, _FRAME_BYTES = slice(26, 30), slice(30, 34), 1 << 17
QUEUE_LIMIT = 5_000
"""Packets that wait on all links; over the limit they are lost, as in a switch."""


@dataclass(frozen=True)
class Badness:
    """Properties of a bad link.

    Attributes:
        delay_seconds: of every packet.
        jitter_seconds: up to so much more, so packets overtake each other.
        loss: share of the packets that are lost.
        duplicates: share of the packets that arrive twice.
        bytes_per_second: the speed; 0 for no limit.
    """

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0
    duplicates: float = 0.0
    bytes_per_second: float = 0.0


@dataclass
class _Link:
    hardware_address: bytes
    badness: Badness
    busy_until: float = 0.0


class Carrier:
    """The waiting packets, without input and output.

    Args:
        seed: of what is lost, delayed and sent twice.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._links: dict[tuple[bytes, bytes], _Link] = {}
        self._waiting: list[tuple[float, int, bytes, bytes]] = []
        self._numbers = count()

    def set_links(self, links: list[tuple[str, str, str, dict[str, float]]]) -> None:
        """Replace all links."""
        self._links = {
            (socket.inet_aton(sender), socket.inet_aton(receiver)): _Link(
                bytes.fromhex(address.replace(":", "")), Badness(**badness)
            )
            for sender, receiver, address, badness in links
        }

    def take(self, sender: bytes, receiver: bytes, packet: bytes, now: float) -> None:
        """Take a packet over; packets of links that are no longer bad are dropped, and sent again by TCP."""
        link = self._links.get((sender, receiver))
        if link is None:
            return
        badness, draw = link.badness, self._draw.random
        for _ in range(1 + (draw() < badness.duplicates)):
            if draw() < badness.loss or len(self._waiting) >= QUEUE_LIMIT:
                continue
            due = now + badness.delay_seconds + draw() * badness.jitter_seconds
            if badness.bytes_per_second:
                link.busy_until = max(now, link.busy_until) + len(packet) / badness.bytes_per_second
                due += link.busy_until - now
            heapq.heappush(self._waiting, (due, next(self._numbers), link.hardware_address, packet))

    def due(self, now: float) -> tuple[bytes, bytes] | None:
        """Return the hardware address and content of a packet that is due, if there is one."""
        return heapq.heappop(self._waiting)[2:] if self._waiting and self._waiting[0][0] <= now else None

    def seconds_left(self, now: float) -> float | None:
        """Return the time until the next packet is due; None if none waits."""
        return max(0.0, self._waiting[0][0] - now) if self._waiting else None


def _run(device: str, seed: int) -> None:
    carrier = Carrier(seed)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
    wire.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    wire.bind((device, _IPV4))
    wire.setblocking(False)
    own_address = wire.getsockname()[4]
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin, wire], [], [], carrier.seconds_left(time.monotonic()))
        if sys.stdin in readable:
            line = sys.stdin.buffer.readline()
            if not line:
                return
            carrier.set_links(json.loads(line)["links"])
            print("done", flush=True)
        if wire in readable:
            with suppress(BlockingIOError):
                while True:
                    content, (_, _, kind, _, _) = wire.recvfrom(_FRAME_BYTES)
                    frame = content[_OFFLOAD_BYTES:]
                    if kind == socket.PACKET_HOST:
                        carrier.take(frame[_SENDER], frame[_RECEIVER], content, time.monotonic())
        while packet := carrier.due(time.monotonic()):
            address, content = packet
            with suppress(OSError):  # the device's queue is full, so the packet is lost
                offload, rest = content[:_OFFLOAD_BYTES], content[_OFFLOAD_BYTES + 12 :]
                wire.send(offload + address + own_address + rest)


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]))
