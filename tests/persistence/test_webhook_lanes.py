"""Handing out the events of webhooks while others are being published."""

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
import pytest

from engine.errors import NotFound
from persistence.connector import Connector
from persistence.webhook_feed import PUBLISH
from persistence.webhook_lanes import Attempt, WebhookLanes
from persistence.webhooks import ENABLE, WebhookRows
from tests.database import execute, locked

SCREENING = 12

ADD_WEBHOOK = """
INSERT INTO webhooks (url, events, secret) VALUES ('http://receiver.example', '{booking.created}', '\\x00')
RETURNING id
"""

ADD_EVENT = """
INSERT INTO webhook_events (screening_id, epoch, seq, type, body) VALUES (%s, 1, %s, 'booking.created', '{}')
RETURNING position
"""

ADD_LANE = """
INSERT INTO webhook_lanes (webhook_id, screening_id, position, last_position, waiting_since)
VALUES (%s, %s, %s, %s, now())
"""

ONE_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def before_deletion(database_url: str, webhook_id: int, change: Coroutine[Any, Any, object]) -> None:
    """Carry out a change and then the deletion of a webhook, where both have to wait for its lanes."""
    with locked(database_url, "SELECT 1 FROM webhook_lanes FOR UPDATE"):
        changing = asyncio.create_task(change)
        while len(execute(database_url, ONE_WAITS)) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        delete = "DELETE FROM webhooks WHERE id = %s"
        deleting = asyncio.create_task(asyncio.to_thread(execute, database_url, delete, webhook_id))
        while len(execute(database_url, ONE_WAITS)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.gather(changing, deleting)


@pytest.mark.gen_test
async def test_an_event_that_is_being_published_is_not_forgotten(database_url: str) -> None:
    ((webhook_id,),) = execute(database_url, ADD_WEBHOOK)
    ((position,),) = execute(database_url, ADD_EVENT, SCREENING, 1)
    execute(database_url, ADD_LANE, webhook_id, SCREENING, position, position)
    with closing(Connector(database_url)) as connector, closing(psycopg2.connect(database_url)) as publisher:
        lanes = WebhookLanes(connector, lease_seconds=60)
        (lane,) = await lanes.claim({}, at_once=1)
        cursor = publisher.cursor()
        cursor.execute(ADD_EVENT, (SCREENING, 2))
        (published,) = cursor.fetchone()
        cursor.execute("UPDATE webhook_lanes SET last_position = %s", (published,))
        next_event = asyncio.create_task(lanes.next(lane))
        while not execute(database_url, ONE_WAITS):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        publisher.commit()
        sending = await next_event
    assert sending is not None
    assert sending.position == published


@pytest.mark.gen_test
async def test_a_webhook_that_is_being_deleted_does_not_stop_the_others(database_url: str) -> None:
    ((deleted,),) = execute(database_url, ADD_WEBHOOK)
    ((kept,),) = execute(database_url, ADD_WEBHOOK)
    event = {"screening_ids": [SCREENING], "epochs": [1], "seqs": [1], "types": ["booking.created"]}
    event |= {"bodies": ["{}"], "traces": [None], "causes": []}
    with closing(Connector(database_url)) as connector, closing(psycopg2.connect(database_url)) as manager:
        manager.cursor().execute("DELETE FROM webhooks WHERE id = %s", (deleted,))
        publication = asyncio.create_task(connector.run(PUBLISH, event))
        while not execute(database_url, ONE_WAITS):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        manager.commit()
        await publication
    assert execute(database_url, "SELECT webhook_id FROM webhook_lanes") == [(kept,)]


@pytest.mark.gen_test
@pytest.mark.parametrize("change", ["replay", "enable"])
async def test_a_webhook_is_changed_while_it_is_being_deleted(database_url: str, change: str) -> None:
    ((webhook_id,),) = execute(database_url, ADD_WEBHOOK)
    ((position,),) = execute(database_url, ADD_EVENT, SCREENING, 1)
    execute(database_url, ADD_LANE, webhook_id, SCREENING, position - 1, position)
    execute(database_url, "UPDATE webhook_lanes SET attempts = 1; UPDATE webhooks SET failing_since = now()")
    with closing(Connector(database_url)) as connector:
        rows = WebhookRows(connector)
        replayed = change == "replay"
        changing = rows.replay(webhook_id, 0) if replayed else connector.run(ENABLE, {"id_": webhook_id})
        await before_deletion(database_url, webhook_id, changing)
        with pytest.raises(NotFound):
            await rows.replay(webhook_id, 0)
    assert execute(database_url, "SELECT 1 FROM webhooks, webhook_lanes") == []


@pytest.mark.gen_test
@pytest.mark.parametrize("error", [None, "refused"])
async def test_results_are_recorded_while_the_webhook_is_being_deleted(
    database_url: str, error: str | None
) -> None:
    ((webhook_id,),) = execute(database_url, ADD_WEBHOOK)
    ((position,),) = execute(database_url, ADD_EVENT, SCREENING, 1)
    execute(database_url, ADD_LANE, webhook_id, SCREENING, position - 1, position)
    attempt = Attempt("2026-11-29T10:00:00Z", 5, 500 if error else 200, "", error)
    with closing(Connector(database_url)) as connector:
        lanes = WebhookLanes(connector, lease_seconds=60)
        (lane,) = await lanes.claim({}, at_once=1)
        sending = await lanes.next(lane)
        assert sending is not None
        finished = lanes.finished if error is None else partial(lanes.failed, pause_seconds=1.0)
        await before_deletion(database_url, webhook_id, finished(lane, sending, attempt))
    assert execute(database_url, "SELECT 1 FROM webhooks, webhook_lanes") == []
