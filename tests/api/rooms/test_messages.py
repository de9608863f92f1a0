"""The fast path of messages about seats: it changes nothing but the time that a message takes."""

import json

import pytest

from api.limits import SocketLimits
from api.rooms.messages import usual_seat_message
from api.ws.messages import BadMessage, parsed_message
from tests.api.cinema import SCREENING, receive

FIELDS = {
    "seat_id": [
        *('"A1"', '"A2"', '"Z99"', '""', '"<i>"', '"A\'1"', f'"{"A" * 21}"', '"A1\\u0000"', '"\\u00e9"'),
        *("5", "null", '["A1"]', '"\\ud800"', '"A1" 2'),
    ],
    "user_info": [
        *("{}", "null", '{"name": "Ada", "age": 36, "tall": true, "height": 1.75, "none": null}'),
        *(
            '{"name": "<b>Ada</b> \\"Countess\\""}',
            '{"a": "1", "a": "2"}',
            '{"a": {}}',
            '{"a": [1]}',
            '"Ada"',
        ),
        *(
            '{"a": 9223372036854775807}',
            '{"a": 9223372036854775808}',
            '{"a": 1e5}',
            '{"a": -0}',
            '{"a": 1e999}',
        ),
        *(
            '{"a": 123456789012345678901234567890}',
            '{"a": NaN}',
            '{"a": 01}',
            '{"a": "\\ud800"}',
            '{"a": 1,}',
        ),
        *(f'{{"a": "{"x" * 5000}"}}', json.dumps({str(n): n for n in range(11)}), f'{{"{"k" * 41}": 1}}'),
    ],
    "more": ["1", '"\\q"', "1e999", "{}", "["],
    "type": ['"ping"', '"select_seat"', '"release_seat"', "5"],
    "room_id": ['"no such room"', '"room1"', "5", "{}"],
}
"""Values of fields as JSON, legal and illegal."""

TEXTS = [
    f'{{"type": "{kind}", "room_id": "{{room}}", "seat_id": "A1"}}'.replace("{room}", "%s")
    for kind in ("select_seat", "release_seat")
]
VARIANTS = [
    *TEXTS,
    *(
        f'{text[:-1]}, "{name}": {value.replace("%", "%%")}}}'
        for text in TEXTS
        for name, values in FIELDS.items()
        for value in values
    ),
    *(text + " x" for text in TEXTS),
    *(" " + text + "\n" for text in TEXTS),
    "\ufeff" + TEXTS[0],
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_message_that_decodes_has_the_fields_that_general_parsing_finds(variant):
    text = variant % "funcion_1"
    usual = usual_seat_message(text)
    if usual is None:
        return
    parsed = parsed_message(text)
    fields = {"user_info": None, **parsed}
    assert [usual.type, usual.room_id, usual.seat_id, usual.user_info] == list(
        map(fields.get, ("type", "room_id", "seat_id", "user_info"))
    )
    assert repr(usual.user_info) == repr(fields["user_info"])


def test_the_usual_messages_decode():
    for text in TEXTS:
        assert usual_seat_message(text % "funcion_1") is not None
        info = text[:-1] + ', "user_info": {"name": "Ada", "age": 36}}'
        assert usual_seat_message(info % "funcion_1").user_info == {"name": "Ada", "age": 36}


def test_binary_messages_do_not_decode():
    message = (TEXTS[0] % "funcion_1").encode()
    assert usual_seat_message(message) is None
    with pytest.raises(BadMessage):
        parsed_message(message)


@pytest.mark.gen_test
async def test_messages_are_answered_alike_in_a_room_and_from_outside(open_cinema):
    """A client that has not joined the room never takes the fast path."""
    cinema = open_cinema(
        screenings=2, limits=SocketLimits(socket_frames_at_once=10**6, bad_messages=10**6), tick_seconds=60
    )
    answers = []
    for number, joins in enumerate((True, False)):
        room = f"funcion_{SCREENING + number}"
        socket = await cinema.enter(f"client{number}")
        if joins:
            await socket.send(json.dumps({"type": "join_room", "room_id": room}))
            assert [(await receive(socket))["type"] for _ in range(2)] == [
                "room_joined",
                "current_selections",
            ]
        got = []
        for variant in VARIANTS:
            await socket.send(variant % room)
            answer = await receive(socket)
            answer.pop("timestamp", None)
            got.append({**answer, **{name: "its own" for name in ("room_id", "client_id") if name in answer}})
            got[-1]["message"] = answer.get("message", "").replace(room, "its own")
        answers.append(got)
        assert {"seat_selected", "seat_released", "error", "pong"} <= {answer["type"] for answer in got}
    assert answers[0] == answers[1]
