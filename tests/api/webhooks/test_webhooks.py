"""Administration of webhooks."""

import pytest

from api.webhooks.shapes import EVENT_TYPES
from tests.api.webhooks.conftest import Integration

pytestmark = pytest.mark.gen_test(timeout=120)


async def test_the_secret_is_shown_once(integration: Integration) -> None:
    made = await integration.add()
    assert made["secret"].startswith("whsec_")
    assert set(made["events"]) == set(EVENT_TYPES)
    shown = await integration.show(made)
    assert "secret" not in shown
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    (listed,) = (await integration.send("GET")).json
    assert listed == shown
