"""Access to events, with a real database."""

import pytest

from engine.errors import StoreUnavailable
from persistence.connector import Connector
from persistence.event_access import EventAccess
from tests.database import execute

pytestmark = pytest.mark.gen_test

OPEN, PRIVATE, SCREENING, CANCELLED, FREE_ROOM, NOTHING = range(1, 7)
INVITED, STRANGER, ADMIN = 8, 9, 1

_WORLD = f"""
INSERT INTO events (id, title, starts_at, ends_at, private, invited_user_ids) VALUES
    ({OPEN}, 'Open', now(), now() + interval '1 hour', false, '{{{INVITED}}}'),
    ({PRIVATE}, 'Private', now(), now() + interval '1 hour', true, '{{{INVITED}}}');
INSERT INTO cinemas (id, name) VALUES (1, 'Cinema');
INSERT INTO rooms (id, cinema_id, name) VALUES (1, 1, 'Room 1');
INSERT INTO screenings (id, room_id, starts_at, ends_at, price, cancelled_at) VALUES
    ({SCREENING}, 1, now() + interval '1 day', now() + interval '26 hours', 10, NULL),
    ({CANCELLED}, 1, now() + interval '2 days', now() + interval '50 hours', 10, now());
INSERT INTO free_rooms (id, name) VALUES ({FREE_ROOM}, 'test_room');
"""  # noqa: S608 - its only parts are the numbers above


async def test_a_private_event_is_visible_to_invited_users_and_administrators(database_url):
    execute(database_url, _WORLD)
    connector = Connector(database_url, pool_size=1)
    access = EventAccess(connector)
    allowed = {
        user: {
            event
            for event in (OPEN, PRIVATE, SCREENING, CANCELLED, FREE_ROOM, NOTHING, 2**63 - 1)
            if await access.may_watch(event, user, admin=user == ADMIN)
        }
        for user in (INVITED, STRANGER, ADMIN, 2**63 - 1)
    }
    assert allowed == {
        INVITED: {OPEN, PRIVATE, SCREENING},
        STRANGER: {OPEN, SCREENING},
        ADMIN: {OPEN, PRIVATE, SCREENING},
        2**63 - 1: {OPEN, SCREENING},
    }
    connector.close()


async def test_an_unreachable_database_is_reported():
    connector = Connector("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    with pytest.raises(StoreUnavailable):
        await EventAccess(connector).may_watch(1, 1, admin=False)
    connector.close()
