"""Calls about keys, in virtual time, with members that need not agree."""

import asyncio

import pytest

from cluster.errors import NodeUnreachable
from cluster.keys import RETRY_SECONDS, Patience
from tests.cluster.places import PATIENT, places
from tests.cluster.virtual import in_virtual_time


@in_virtual_time
async def test_the_node_of_a_key_answers() -> None:
    async with places(3) as everybody:
        for asking in everybody:
            for answering in everybody:
                key = asking.key_of("letter", answering)
                answer = await asking.calls.call("letter", "write", key, ["x", 1], PATIENT)
                assert answer == f"{answering.name} has {key}"
                assert answering.asked[-1] == (asking.name, key, ["x", 1])
                told = asking.calls.tell("letter", "write", key, "told")
                assert (told is None) is (asking is answering)
                if told is not None:
                    await told
                assert answering.asked[-1] == (asking.name, key, "told")


@in_virtual_time
async def test_a_node_that_does_not_believe_that_a_key_is_its_own_does_not_answer() -> None:
    async with places() as (first, second):
        key = first.key_of("letter", second)
        second.believe_in(first)
        with pytest.raises(NodeUnreachable):
            await first.calls.call("letter", "write", key, None, Patience(0.2, retries=True))
        answer = asyncio.create_task(first.calls.call("letter", "write", key, None, PATIENT))
        await asyncio.sleep(0.1)
        assert not first.asked and not second.asked
        second.believe_in(first, second)
        assert await answer == f"{second.name} has {key}"
        second.believe_in(first)
        answer = asyncio.create_task(first.calls.call("letter", "write", key, None, PATIENT))
        await asyncio.sleep(0.1)
        first.believe_in(first)
        assert await answer == f"{first.name} has {key}"


@in_virtual_time
async def test_an_impatient_caller_does_not_wait_for_another_node() -> None:
    async with places() as (first, second):
        key = first.key_of("letter", second)
        await second.connection.stop()
        await asyncio.sleep(1.0)  # until NATS has noticed
        with pytest.raises(NodeUnreachable):
            await asyncio.wait_for(
                first.calls.call("letter", "write", key, None, Patience(3600.0, retries=False)), 60
            )


@in_virtual_time
async def test_a_patient_caller_waits_until_the_node_can_be_reached_but_no_longer_than_it_said() -> None:
    now = asyncio.get_running_loop().time
    async with places() as (first, second):
        key = first.key_of("letter", second)
        await second.connection.stop()
        await asyncio.sleep(10.0)
        began_at = now()
        with pytest.raises(NodeUnreachable):
            await first.calls.call("letter", "write", key, None, Patience(0.5, retries=True))
        assert 0.5 - 2 * RETRY_SECONDS <= now() - began_at <= 0.5
        answer = asyncio.create_task(first.calls.call("letter", "write", key, None, PATIENT))
        await asyncio.sleep(1.0)
        await second.connection.start()
        assert await answer == f"{second.name} has {key}"


@in_virtual_time
async def test_a_node_that_is_silent_counts_as_unreachable_when_the_patience_ends() -> None:
    """The caller's request has not begun, so its outcome is not unknown."""
    now = asyncio.get_running_loop().time
    async with places() as (first, second):
        key = first.key_of("letter", second)
        await asyncio.sleep(10.0)
        second.cable.set("cut", "back", True)
        began_at = now()
        with pytest.raises(NodeUnreachable):
            await first.calls.call("letter", "write", key, None, Patience(0.5, retries=False))
        assert now() - began_at == pytest.approx(0.5, abs=0.1)


@in_virtual_time
async def test_nobody_waits_to_tell_something_to_a_node_that_cannot_be_reached() -> None:
    now = asyncio.get_running_loop().time
    async with places() as (first, second):
        key = first.key_of("letter", second)
        await second.connection.stop()
        await asyncio.sleep(1.0)
        began_at = now()
        told = first.calls.tell("letter", "write", key, None)
        assert told is not None
        await told
        assert now() - began_at < RETRY_SECONDS
