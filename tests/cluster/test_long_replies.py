"""Replies that are too long for one message travel in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import wire
from cluster.long_replies import LongReplies
from cluster.messages import NotUnderstood
from engine.views import SeatMap, SeatView
from tests.cluster.wire_samples import LAYOUT


@given(st.binary(max_size=100), st.integers(1, 40))
def test_a_reply_is_whole_again(reply: bytes, part_bytes: int) -> None:
    reply = b"\x30" + reply
    owner, asker = LongReplies(part_bytes), LongReplies(part_bytes)
    *ahead, last = owner.cut(reply)
    for part in ahead:
        asker.keep("owner", part)
    assert asker.join("owner", last) == reply
    assert asker.kept_bytes == 0


def test_a_large_hall_that_is_sold_out() -> None:
    views = {seat_id: SeatView(seat_id, "booked", f"user:{seat_id}") for seat_id in range(1, 40_001)}
    seat_map = SeatMap(7, 3, 24, LAYOUT, views)
    replies = LongReplies()
    *ahead, last = replies.cut(wire.encode_reply(seat_map))
    assert len(ahead) >= 3
    assert max(map(len, (*ahead, last))) < 300_000
    for part in ahead:
        replies.keep("owner", part)
    assert wire.decode_reply(replies.join("owner", last), lambda room_id, version: LAYOUT) == seat_map


def test_a_short_reply_is_sent_as_it_is() -> None:
    reply = wire.encode_reply(SeatMap(7, 3, 24, LAYOUT, {}))
    assert LongReplies().cut(reply) == [reply]
    assert LongReplies().join("owner", reply) == reply


def test_parts_of_several_replies_do_not_mix() -> None:
    owner, asker = LongReplies(4), LongReplies(4)
    one, other = owner.cut(b"0123456789"), owner.cut(b"abcdefghij")
    stranger = LongReplies(4).cut(b"ABCDEFGHIJ")
    for parts in zip(one[:-1], other[:-1], stranger[:-1], strict=True):
        for sender, part in zip(("owner", "owner", "stranger"), parts, strict=True):
            asker.keep(sender, part)
    assert asker.join("owner", other[-1]) == b"abcdefghij"
    assert asker.join("stranger", stranger[-1]) == b"ABCDEFGHIJ"
    assert asker.join("owner", one[-1]) == b"0123456789"


@pytest.mark.parametrize("lost", [0, 1])
def test_a_reply_with_a_lost_part_is_not_understood(lost: int) -> None:
    replies = LongReplies(4)
    *ahead, last = replies.cut(b"0123456789")
    del ahead[lost]
    for part in ahead:
        replies.keep("owner", part)
    with pytest.raises(NotUnderstood, match="missing"):
        replies.join("owner", last)
    assert replies.kept_bytes == 0


def test_parts_whose_reply_never_comes_are_dropped() -> None:
    replies = LongReplies(4, kept_bytes_limit=20)
    abandoned = replies.cut(b"0123456789")
    for part in abandoned[:-1]:
        replies.keep("owner", part)
    for _ in range(100):
        for part in replies.cut(b"abcdefghij")[:-1]:
            replies.keep("owner", part)
        assert replies.kept_bytes <= 20
    with pytest.raises(NotUnderstood):
        replies.join("owner", abandoned[-1])


def test_parts_of_a_node_that_is_gone_are_dropped() -> None:
    replies = LongReplies(4)
    for part in replies.cut(b"0123456789")[:-1]:
        replies.keep("owner", part)
    replies.forget("stranger")
    assert replies.kept_bytes == 8
    replies.forget("owner")
    assert replies.kept_bytes == 0


@pytest.mark.parametrize("value", [None, 7, b"", b"\x34", b"\xfa\x90", "text", [1]])
def test_other_values_are_no_parts(value: object) -> None:
    with pytest.raises(NotUnderstood):
        LongReplies().keep("owner", value)
