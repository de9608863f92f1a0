"""Sockets that watch halls at every node, and come back when they are closed, from where they were."""

import asyncio
import json
import random
import time
from contextlib import suppress
from typing import Any

import aiohttp

from tests.torture.recorder import Recorder

RETRY_SECONDS = (0.05, 0.5)
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 5.0
"""Silence after which a watcher sends a ping; without an answer to that it opens a new socket."""


class Watcher:
    """One socket.

    Args:
        name: of the watcher.
        session: opens sockets.
        node: name of the node.
        url: of the node.
        screening: the hall.
        token: of the user.
        recorder: gets what it sees.

    Attributes:
        sockets: how many it has opened.
        position: epoch and seq of its picture.
    """

    def __init__(
        self,
        name: str,
        session: aiohttp.ClientSession,
        node: str,
        url: str,
        screening: int,
        token: str,
        recorder: Recorder,
    ) -> None:
        self.sockets = 0
        self.position = (0, 0)
        self._name = name
        self._session = session
        self._node = node
        self._address = f"{url}/ws/screenings/{screening}"
        self._screening = screening
        self._token = token
        self._recorder = recorder
        self._draw = random.Random(name)

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._watch_once()
            await asyncio.sleep(self._draw.uniform(*RETRY_SECONDS))

    async def _watch_once(self) -> None:
        epoch, seq = self.position
        query = {"token": self._token, "updates": "bulk", "since": str(seq), "epoch": str(epoch)}
        query["state_hash"] = "true"
        began = time.monotonic()
        async with asyncio.timeout(CONNECT_SECONDS):
            socket = await self._session.ws_connect(self._address, params=query)
        async with socket:
            self.sockets += 1
            self._note("watching", time=began, node=self._node)
            parts: list[dict[str, Any]] = []
            asked = False
            while True:
                try:
                    frame = await socket.receive(timeout=SILENCE_SECONDS)
                except TimeoutError:
                    if asked:
                        return
                    asked = True
                    await socket.send_str('{"type": "ping"}')
                    continue
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    return
                asked = False
                message = json.loads(frame.data)
                if message["type"] == "screening_changed":
                    return
                parts.append(message)
                if not message.get("more") and self._take(parts):
                    parts = []

    def _take(self, parts: list[dict[str, Any]]) -> bool:
        """Record a complete update. Returns whether it was one."""
        last = parts[-1]
        if "seq" not in last:
            return True
        if last["type"] == "connection_confirmed":
            # The messages that follow begin there; 0 announces a snapshot.
            return True
        self.position = last["epoch"], last["seq"]
        if last["type"] == "state_hash":
            self._note("hashed", **{name: last[name] for name in ("epoch", "seq", "hash", "taken")})
            return True
        seats = [seat for part in parts for seat in part.get("updates", ())]
        shown = "picture" if last.get("snapshot") else "changes"
        self._note("seen", epoch=last["epoch"], seq=last["seq"], **{shown: [_seat(one) for one in seats]})
        return True

    def _note(self, kind: str, **more: Any) -> None:
        self._recorder.note(
            {
                "kind": kind,
                "watcher": self._name,
                "time": time.monotonic(),
                "screening": self._screening,
                **more,
            }
        )


def _seat(update: dict[str, Any]) -> dict[str, Any]:
    seen = {"seat": update["seat_id"], "status": update["status"]}
    user = update.get("reserved_by") or update.get("booked_by")
    return {**seen, "user": f"user:{user}"} if user else seen
