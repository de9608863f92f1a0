"""A node whose sockets watch screenings of others, which say what the test lets them; in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster import watching
from cluster.beats import NodeState
from cluster.publishing import CHANGE, NOWHERE, UNWATCH, WATCH, ChangePublisher
from cluster.watching import ANSWER_SECONDS, RENEW_SECONDS, RETRY_SECONDS, SLICE_SECONDS, Watching
from cluster.wire import encode_change
from engine.commands import Command, ReadChanges, ReadSeats, ReadStock
from engine.errors import StoreUnavailable
from engine.memory import ManualClock
from engine.replies import Changes, Stock
from engine.views import SeatMap, SeatsChanged, SeatsShown
from tests.cluster.servers import Members, Tally
from tests.cluster.virtual import Node, in_virtual_time, nodes
from tests.engine.conftest import make_layout

SERVING = NodeState.SERVING
MOMENT = 0.1
"""Long enough for messages to travel, and shorter than any timer."""


def change(seq: int, epoch: int = 3, screening_id: int = 7) -> SeatsChanged:
    return SeatsShown(screening_id, epoch, seq, 1_000.0, "seats_held", ())


def changes(first: int, last: int, epoch: int = 3) -> Changes:
    """The changes that an owner has kept."""
    return Changes(epoch, last, tuple(change(seq, epoch) for seq in range(first, last + 1)))


class Owner:
    """A node that other nodes believe to own screenings.

    Attributes:
        positions: of its screenings.
        rows: what it was told by each `watch`.
        times: when.
        left: the screenings that are not watched any more.
        silent: it does not answer.
    """

    def __init__(self, node: Node, watcher: str) -> None:
        self.name = node.name
        self._links = node.links
        self._watcher = watcher
        self.positions: dict[int, tuple[int, int]] = {7: (3, 20)}
        self.rows: list[list[tuple[int, ...]]] = []
        self.times: list[float] = []
        self.left: list[int] = []
        self.silent = False
        node.links.on(WATCH, self._watch)
        node.links.on(UNWATCH, lambda _, screening_id: self.left.append(screening_id))

    def _watch(self, _: str, rows: Sequence[Sequence[int]]) -> Any:
        self.rows.append([tuple(row) for row in rows])
        loop = asyncio.get_running_loop()
        self.times.append(loop.time())
        if self.silent:
            return loop.create_future()
        return [
            (row[0], *(self.positions.get(row[0]) or NOWHERE), "newer")
            for row in rows
            if self.positions.get(row[0]) != (row[1], row[2])
        ]

    def tell(self, before: int, seq: int, epoch: int = 3, screening_id: int = 7, data: bytes = b"") -> None:
        """Tell of a change; `data` in place of one that is understood."""
        data = data or encode_change(change(seq, epoch, screening_id))
        self._links.send(self._watcher, CHANGE, (screening_id, epoch, before, data, "newer"))


class Watcher:
    """The node with the sockets, and their feed.

    Attributes:
        loaded: positions of the screenings that are in its own memory.
        published: what the sockets were sent: epoch and number.
        shown: the oldest positions that sockets were shown when they joined.
        hashes: the screenings of which they want hashes.
        asked: the questions to owners.
        answers: to the next questions. An exception is raised, a future awaited. Without any, the owner is
            away.
    """

    def __init__(self, node: Node, owner: str) -> None:
        self.name = node.name
        self.node = node
        self.loaded: dict[int, tuple[int, int]] = {}
        self.published: list[tuple[int, int]] = []
        self.shown: dict[int, tuple[int, int]] = {}
        self.hashes: set[int] = set()
        self.asked: list[Command] = []
        self.answers: list[Any] = []
        self.defect: Exception | None = None
        self.members = Members()
        self.members.become({owner: SERVING})
        self.tally = Tally()
        self.publisher = ChangePublisher(node.links, self.members, self.loaded.get, self.tally)
        self.watching = Watching(
            *(node.links, self.members, self.publisher, self, self._ask, ManualClock(), self.tally)
        )

    # Its feed

    def observe_audiences(self, observer: Any) -> None:
        self.sockets = observer

    def oldest_since(self, screening_id: int) -> tuple[int, int] | None:
        return self.shown.get(screening_id)

    def wants_hashes(self, screening_id: int) -> bool:
        return screening_id in self.hashes

    def publish(self, change: SeatsChanged) -> None:
        self.published.append((change.epoch, change.seq))
        if self.defect is not None:
            raise self.defect

    # Questions to owners

    async def _ask(self, command: Command) -> Any:
        self.asked.append(command)
        if not self.answers:
            raise StoreUnavailable
        answer = self.answers.pop(0)
        if isinstance(answer, asyncio.Future):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def own(self, *seqs: int, epoch: int = 4) -> None:
        """Change screening 7 as its owner."""
        for seq in seqs:
            self.loaded[7] = (epoch, seq)
            self.publisher.publish(change(seq, epoch))

    def move(self, owner: Any) -> None:
        """Let everything be owned by a node; by none if it is None."""
        self.members.become({} if owner is None else {owner.name: SERVING})

    @property
    def gaps(self) -> tuple[int, int, int]:
        return (self.tally.gaps, self.tally.filled, self.tally.reloads)

    @property
    def seqs(self) -> list[int]:
        return [seq for _, seq in self.published]


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[Watcher, Owner, Owner]]:
    """The node with the sockets, the owner of everything, and the next owner."""
    async with nodes(3) as (node, *others):
        first, second = (Owner(other, node.name) for other in others)
        watcher = Watcher(node, first.name)
        yield watcher, first, second
        watcher.watching.stop()


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Watcher, Owner, Owner]]:
    """The same, with sockets that have seen everything up to the change 20."""
    async with stage() as (watcher, first, second):
        watcher.sockets.watched(7)
        watcher.shown[7] = (3, 20)
        await asyncio.sleep(MOMENT)
        yield watcher, first, second


# The first socket


@in_virtual_time
async def test_a_first_socket_is_sent_what_happens_after_its_question() -> None:
    async with stage() as (here, owner, _):
        here.hashes.add(7)
        here.sockets.watched(7)
        owner.tell(20, 21)
        await asyncio.sleep(MOMENT)
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        assert owner.rows == [[(7, *NOWHERE, 1)]]
        assert here.published == [(3, 21), (3, 22)]
        assert (here.asked, here.gaps, here.tally.received) == ([], (0, 0, 0), 2)


@in_virtual_time
async def test_a_first_socket_that_was_shown_an_earlier_epoch_has_missed_something() -> None:
    async with stage() as (here, _, _):
        for shown, asked in (((3, 7), []), ((2, 7), [ReadChanges(7, 2, 7)])):
            here.asked.clear()
            here.shown[7] = shown
            here.answers = [Changes(3, 20, ())]
            here.sockets.watched(7)
            await asyncio.sleep(MOMENT)
            assert here.asked == asked
            here.sockets.unwatched(7)


@in_virtual_time
async def test_an_owner_that_does_not_know_the_screening_is_asked_for_it() -> None:
    async with stage() as (here, owner, _):
        owner.positions.clear()
        here.answers = [Changes(4, 0, None), Changes(4, 0, ())]
        here.sockets.watched(7)
        await asyncio.sleep(MOMENT)
        assert here.asked == [ReadChanges(7, *NOWHERE), ReadChanges(7, 4, 0)]
        owner.tell(0, 1, epoch=4)
        await asyncio.sleep(MOMENT)
        assert (here.published, here.gaps) == ([(4, 1)], (0, 0, 0))


@in_virtual_time
async def test_what_this_node_knows_of_a_former_screening_is_told_to_its_owner() -> None:
    async with stage() as (here, owner, _):
        here.loaded[7] = (3, 19)
        here.answers = [changes(20, 20)]
        here.sockets.watched(7)
        await asyncio.sleep(MOMENT)
        assert owner.rows == [[(7, 3, 19, 0)]]
        assert (here.asked, here.published, here.gaps) == ([ReadChanges(7, 3, 19)], [(3, 20)], (1, 1, 0))


@in_virtual_time
async def test_a_screening_of_this_node_is_watched_here() -> None:
    async with stage() as (here, owner, _):
        here.move(here)
        here.sockets.watched(7)
        here.own(3, 4)
        assert here.published == [(4, 3), (4, 4)]
        here.watching.renew()
        here.sockets.unwatched(7)
        here.own(5)
        await asyncio.sleep(MOMENT)
        assert (owner.rows, owner.left, here.asked, here.seqs) == ([], [], [], [3, 4])
        assert here.tally.received == 0


@in_virtual_time
async def test_a_screening_that_nobody_owns_is_watched_when_somebody_does() -> None:
    async with stage() as (here, owner, _):
        here.move(None)
        here.sockets.watched(7)
        here.sockets.watched(8)
        here.watching.renew()
        here.sockets.unwatched(8)
        await asyncio.sleep(MOMENT)
        assert (owner.rows, owner.left) == ([], [])
        here.shown[7] = (3, 18)
        here.answers = [changes(19, 20)]
        here.move(owner)
        await asyncio.sleep(MOMENT)
        assert owner.rows == [[(7, *NOWHERE, 0)]]
        assert (here.asked, here.seqs) == ([ReadChanges(7, 3, 18)], [19, 20])


@in_virtual_time
async def test_an_owner_is_told_when_the_last_socket_has_left() -> None:
    async with watched() as (here, owner, _):
        here.sockets.unwatched(7)
        owner.tell(20, 21)
        await asyncio.sleep(MOMENT)
        assert (owner.left, here.published) == ([7], [])
        here.watching.renew()
        await asyncio.sleep(MOMENT)
        assert len(owner.rows) == 1


# Changes, and gaps


@in_virtual_time
async def test_changes_that_were_sent_already_are_left_out() -> None:
    async with watched() as (here, owner, _):
        owner.tell(18, 19)
        owner.tell(19, 20)
        owner.tell(20, 21)
        owner.tell(20, 21)
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.asked, here.tally.received) == ([21], [], 4)


@in_virtual_time
async def test_what_was_missed_is_asked_for_and_sent_before_what_came_meanwhile() -> None:
    async with watched() as (here, owner, _):
        answer = asyncio.get_running_loop().create_future()
        here.answers = [answer]
        owner.tell(21, 22)
        owner.tell(22, 23)
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.asked, here.gaps) == ([], [ReadChanges(7, 3, 20)], (1, 0, 0))
        answer.set_result(changes(20, 22))
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.gaps) == ([21, 22, 23], (1, 1, 0))
        owner.tell(23, 24)
        await asyncio.sleep(MOMENT)
        assert (here.seqs[-1], len(here.asked)) == (24, 1)


@in_virtual_time
@pytest.mark.parametrize("data", [b"\xffnewer", encode_change(change(21))[:1] + b"\xa1?"])
async def test_a_change_that_is_not_understood_is_asked_for(data: bytes) -> None:
    async with watched() as (here, owner, _):
        here.answers = [changes(21, 21)]
        owner.tell(20, 21, data=data)
        await asyncio.sleep(MOMENT)
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.asked, here.gaps) == ([21, 22], [ReadChanges(7, 3, 20)], (1, 1, 0))


@in_virtual_time
async def test_a_change_that_is_too_long_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.wire.CHANGE_BYTES_LIMIT", 10)
    async with watched() as (here, owner, _):
        answer = asyncio.get_running_loop().create_future()
        here.answers = [answer, changes(22, 22)]
        owner.tell(20, 21)
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        # The first answer was made before the second change.
        answer.set_result(changes(21, 21))
        await asyncio.sleep(MOMENT)
        assert here.asked == [ReadChanges(7, 3, 20), ReadChanges(7, 3, 21)]
        assert (here.seqs, here.gaps) == ([21, 22], (1, 1, 0))


@in_virtual_time
async def test_one_gap_is_counted_once_however_often_it_is_noticed() -> None:
    async with watched() as (here, owner, _):
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        owner.tell(23, 24)
        here.watching.renew()
        await asyncio.sleep(MOMENT)
        here.answers = [changes(21, 24)]
        await asyncio.sleep(1)
        assert (here.seqs, here.gaps) == ([21, 22, 23, 24], (1, 1, 0))
        here.answers = [changes(25, 26)]
        owner.tell(25, 26)
        await asyncio.sleep(MOMENT)
        assert (here.seqs[-2:], here.gaps) == ([25, 26], (2, 2, 0))


@in_virtual_time
async def test_what_has_come_without_a_gap_is_sent_before_the_owner_is_asked_again() -> None:
    async with watched() as (here, owner, _):
        owner.positions.clear()
        here.watching.renew()
        await asyncio.sleep(MOMENT / 2)
        assert here.asked == [ReadChanges(7, 3, 20)]
        owner.tell(20, 21)
        owner.tell(23, 24)
        owner.tell(24, 25)
        await asyncio.sleep(MOMENT / 4)
        assert here.published == []
        here.answers = [changes(22, 23)]
        await asyncio.sleep(2 * MOMENT)
        assert here.asked[1:] == [ReadChanges(7, 3, 21)]
        assert (here.seqs, here.gaps) == ([21, 22, 23, 24, 25], (0, 0, 0))


@in_virtual_time
async def test_what_has_come_before_the_first_answer_is_kept_while_the_owner_is_asked() -> None:
    async with stage() as (here, owner, _):
        owner.positions.clear()
        here.shown[7] = (3, 20)
        here.answers = [changes(21, 21)]
        owner.tell(21, 22)
        here.sockets.watched(7)
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        assert (here.asked, here.seqs, here.gaps) == ([ReadChanges(7, 3, 20)], [21, 22], (0, 0, 0))


@in_virtual_time
async def test_an_owner_with_the_same_position_is_asked_once() -> None:
    async with watched() as (here, owner, _):
        owner.positions.clear()
        here.answers = [Changes(3, 20, ())]
        here.watching.renew()
        await asyncio.sleep(1)
        assert (here.asked, here.gaps) == ([ReadChanges(7, 3, 20)], (0, 0, 0))
        owner.tell(20, 21)
        await asyncio.sleep(MOMENT)
        assert here.seqs == [21]


@in_virtual_time
async def test_changes_of_others_are_sent_after_everything_that_has_come_with_them() -> None:
    async with watched() as (here, owner, _):
        sent: list[list[int]] = []
        here.node.links.on("look", lambda _, __: sent.append(list(here.seqs)))
        owner.tell(20, 21)
        owner._links.send(here.name, "look", None)
        await asyncio.sleep(MOMENT)
        assert (sent, here.seqs) == ([[]], [21])


@in_virtual_time
async def test_changes_beyond_the_limit_are_asked_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "KEPT_LIMIT", 2)
    async with watched() as (here, owner, _):
        answer = asyncio.get_running_loop().create_future()
        here.answers = [answer]
        for seq in (22, 23, 24):
            owner.tell(seq - 1, seq)
        await asyncio.sleep(MOMENT)
        answer.set_result(changes(21, 21))
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.gaps) == ([21, 22, 23], (1, 1, 0))
        here.answers = [changes(24, 25)]
        owner.tell(24, 25)
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.gaps) == ([21, 22, 23, 24, 25], (2, 2, 0))


@in_virtual_time
async def test_an_answer_that_is_older_than_what_is_known_is_not_believed() -> None:
    async with watched() as (here, owner, _):
        here.answers = [changes(19, 19), changes(21, 21)]
        owner.tell(21, 22)
        await asyncio.sleep(3 * MOMENT)
        assert here.asked == [ReadChanges(7, 3, 20)] * 2
        assert (here.seqs, here.gaps) == ([21, 22], (1, 1, 0))


@in_virtual_time
async def test_an_answer_that_leaves_a_gap_is_taken_and_the_rest_asked_for() -> None:
    async with watched() as (here, owner, _):
        answer = asyncio.get_running_loop().create_future()
        here.answers = [answer, changes(24, 24)]
        owner.tell(21, 22)
        owner.tell(22, 23)
        owner.tell(24, 25)
        await asyncio.sleep(MOMENT)
        answer.set_result(changes(21, 22))
        await asyncio.sleep(MOMENT)
        assert here.asked == [ReadChanges(7, 3, 20), ReadChanges(7, 3, 23)]
        assert (here.seqs, here.gaps) == ([21, 22, 23, 24, 25], (1, 1, 0))


@in_virtual_time
async def test_all_seats_are_shown_if_the_changes_are_not_kept_any_more() -> None:
    async with watched() as (here, owner, _):
        stock, seats = Stock(7, 4, 9, 19, 20, {}), SeatMap(7, 4, 9, make_layout(), {})
        here.answers = [Changes(4, 9, None), stock, seats]
        owner.tell(21, 22)
        owner.tell(9, 10, epoch=4)
        await asyncio.sleep(MOMENT)
        assert here.asked == [ReadChanges(7, 3, 20), ReadStock(7), ReadSeats(7)]
        assert (here.published, here.gaps) == ([(4, 9), (4, 10)], (1, 1, 1))


@in_virtual_time
async def test_seats_that_are_shown_already_are_not_counted_as_shown_again() -> None:
    async with watched() as (here, owner, _):
        stock, seats = Stock(7, 3, 20, 19, 20, {}), SeatMap(7, 3, 20, make_layout(), {})
        here.answers = [Changes(3, 20, None), stock, seats]
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        assert (here.published, here.tally.reloads) == ([], 0)


@in_virtual_time
async def test_changes_of_one_epoch_do_not_replace_what_a_socket_has_missed_of_an_earlier_one() -> None:
    async with stage() as (here, owner, _):
        owner.positions.clear()
        first = asyncio.get_running_loop().create_future()
        here.answers = [Changes(4, 1, None), first, changes(1, 2, epoch=4)]
        here.sockets.watched(7)
        await asyncio.sleep(MOMENT)
        # A socket is shown the seats by the former owner while the new one is asked.
        here.shown[7] = (3, 20)
        first.set_result(changes(1, 1, epoch=4))
        await asyncio.sleep(3 * MOMENT)
        assert here.asked[-1] == ReadChanges(7, 3, 20)
        assert here.published == [(4, 1), (4, 2)]


@in_virtual_time
async def test_nothing_is_sent_of_a_screening_that_was_left_meanwhile() -> None:
    async with watched() as (here, owner, _):
        answer = asyncio.get_running_loop().create_future()
        here.answers = [answer]
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        here.sockets.unwatched(7)
        answer.set_result(changes(21, 22))
        await asyncio.sleep(MOMENT)
        assert (here.published, here.gaps) == ([], (1, 0, 0))


@in_virtual_time
async def test_a_feed_that_fails_does_not_stop_other_changes(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as (here, owner, _):
        here.defect = ZeroDivisionError()
        owner.tell(20, 21)
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        assert here.seqs == [21, 22]
        assert "ZeroDivisionError" in caplog.text


# Owners change


@in_virtual_time
async def test_changes_of_this_node_wait_for_those_of_others_that_have_come_before() -> None:
    async with stage() as (here, owner, _):
        here.members.become({here.name: SERVING, owner.name: SERVING})
        mine, other = (
            next(number for number in range(1, 99) if here.members.owner_of(number) == node.name)
            for node in (here, owner)
        )
        here.loaded[mine] = owner.positions[other] = (3, 20)
        for screening_id in (mine, other):
            here.sockets.watched(screening_id)
        await asyncio.sleep(MOMENT)
        here.node.links.on("sell", lambda _, __: here.publisher.publish(change(21, screening_id=mine)))
        owner.tell(20, 25, screening_id=other)
        owner._links.send(here.name, "sell", None)
        await asyncio.sleep(MOMENT)
        assert here.seqs == [25, 21]


@in_virtual_time
async def test_what_others_have_changed_before_this_node_is_asked_for() -> None:
    async with watched() as (here, _, _):
        here.answers = [Changes(6, 1, (change(1, 5), change(1, 6)))]
        here.own(1, epoch=6)
        await asyncio.sleep(MOMENT)
        assert here.asked == [ReadChanges(7, 3, 20)]
        assert (here.published, here.gaps) == ([(5, 1), (6, 1)], (1, 1, 0))


@in_virtual_time
async def test_the_new_owner_is_told_at_once_when_the_members_change() -> None:
    async with watched() as (here, first, second):
        second.positions = {7: (4, 0)}
        here.answers = [Changes(4, 0, ())]
        before = here.members.view
        for handler in here.members._handlers:
            handler(before, before._replace(version=9))
        await asyncio.sleep(MOMENT)
        assert second.rows == []
        here.move(second)
        await asyncio.sleep(MOMENT)
        assert (len(first.rows), second.rows) == (1, [[(7, 3, 20, 0)]])
        assert here.asked == [ReadChanges(7, 3, 20)]
        second.tell(0, 1, epoch=4)
        await asyncio.sleep(MOMENT)
        assert here.published == [(4, 1)]
        here.sockets.unwatched(7)
        await asyncio.sleep(MOMENT)
        assert (first.left, second.left) == ([], [7])


@in_virtual_time
async def test_an_answer_of_a_former_owner_is_not_used() -> None:
    async with stage() as (here, first, second):
        second.silent = True
        here.sockets.watched(7)
        here.move(second)
        await asyncio.sleep(MOMENT)
        first.tell(20, 21)
        await asyncio.sleep(MOMENT)
        assert (here.published, here.asked) == ([], [])


@in_virtual_time
async def test_questions_that_have_failed_are_repeated_at_once_when_something_changes() -> None:
    async with watched() as (here, owner, second):
        owner.tell(21, 22)
        await asyncio.sleep(20)
        for change_something in (lambda: here.move(second), here.watching.reconnected):
            second.positions.clear()
            number = len(here.asked)
            change_something()
            await asyncio.sleep(MOMENT / 10)
            assert len(here.asked) == number + 1
            assert second.rows
            second.rows.clear()
            await asyncio.sleep(1)


@in_virtual_time
async def test_a_screening_of_this_node_that_has_not_changed_keeps_its_position_when_it_moves() -> None:
    async with stage() as (here, owner, _):
        here.move(here)
        here.sockets.watched(7)
        here.loaded[7] = (3, 20)
        here.move(owner)
        await asyncio.sleep(MOMENT)
        assert owner.rows == [[(7, 3, 20, 0)]]
        owner.tell(20, 21)
        await asyncio.sleep(MOMENT)
        assert (here.seqs, here.asked) == ([21], [])


@in_virtual_time
async def test_this_node_compares_its_own_positions_when_it_has_become_the_owner() -> None:
    async with watched() as (here, _, _):
        here.loaded[7] = (4, 2)
        here.answers = [Changes(4, 2, (change(1, 4), change(2, 4)))]
        here.move(here)
        await asyncio.sleep(MOMENT)
        assert (here.asked, here.published) == ([ReadChanges(7, 3, 20)], [(4, 1), (4, 2)])
        here.watching.renew()
        await asyncio.sleep(MOMENT)
        assert (len(here.asked), here.gaps) == (1, (1, 1, 0))
        here.sockets.watched(8)
        here.loaded[8] = (5, 5)
        here.watching.renew()
        here.publisher.publish(change(6, 5, 8))
        await asyncio.sleep(MOMENT)
        assert (here.published[-1], len(here.asked)) == ((5, 6), 1)


# Repeating what is watched


@in_virtual_time
async def test_what_is_watched_is_repeated_with_the_present_positions() -> None:
    async with watched() as (here, owner, _):
        here.watching.start()
        owner.tell(20, 21)
        owner.positions[7] = (3, 21)
        here.hashes.add(7)
        await asyncio.sleep(2.5 * RENEW_SECONDS)
        assert owner.rows[1:] == [[(7, 3, 21, 1)]] * 2
        before, last = owner.times[-2:]
        assert RENEW_SECONDS - 0.01 < last - before < RENEW_SECONDS + 0.01
        here.watching.stop()
        await asyncio.sleep(3 * RENEW_SECONDS)
        assert (len(owner.rows), here.asked, here.gaps) == (3, [], (0, 0, 0))


@in_virtual_time
async def test_a_lost_last_change_is_found_by_a_repetition() -> None:
    async with watched() as (here, owner, _):
        here.watching.start()
        owner.positions[7] = (3, 22)
        here.answers = [changes(21, 22)]
        await asyncio.sleep(1.1 * RENEW_SECONDS)
        assert (here.asked, here.seqs, here.gaps) == ([ReadChanges(7, 3, 20)], [21, 22], (1, 1, 0))


@in_virtual_time
async def test_a_question_is_not_asked_twice_at_a_time() -> None:
    async with watched() as (here, owner, _):
        here.answers = [asyncio.get_running_loop().create_future()]
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        owner.positions.clear()
        here.watching.renew()
        await asyncio.sleep(MOMENT)
        assert here.asked == [ReadChanges(7, 3, 20)]


@in_virtual_time
async def test_an_owner_that_does_not_answer_is_told_again_soon() -> None:
    async with watched() as (here, owner, _):
        here.watching.start()
        owner.silent = True
        await asyncio.sleep(RENEW_SECONDS + ANSWER_SECONDS + 3 * RETRY_SECONDS)
        owner.silent = False
        await asyncio.sleep(2 * RENEW_SECONDS + 2 * ANSWER_SECONDS)
        pauses = [after - before for before, after in zip(owner.times[1:], owner.times[2:], strict=False)]
        assert ANSWER_SECONDS + RETRY_SECONDS < pauses[0] < ANSWER_SECONDS + RETRY_SECONDS + 0.1
        assert RENEW_SECONDS - 0.01 < pauses[-1] < RENEW_SECONDS + 0.01
        assert (here.asked, here.gaps) == ([], (0, 0, 0))


@in_virtual_time
async def test_an_owner_that_does_not_answer_the_first_time_is_told_again_soon() -> None:
    async with stage() as (here, owner, _):
        owner.silent = True
        here.sockets.watched(7)
        await asyncio.sleep(ANSWER_SECONDS + RETRY_SECONDS + MOMENT)
        assert owner.rows == [[(7, *NOWHERE, 0)]] * 2


@in_virtual_time
async def test_a_screening_that_was_left_before_the_answer_does_not_hide_others() -> None:
    async with watched() as (here, owner, _):
        owner.positions[8] = (3, 20)
        here.sockets.watched(8)
        await asyncio.sleep(MOMENT)
        owner.positions = {7: (3, 21), 8: (3, 21)}
        here.watching.renew()
        here.sockets.unwatched(7)
        await asyncio.sleep(MOMENT / 2)
        assert here.asked == [ReadChanges(8, 3, 20)]


@in_virtual_time
async def test_a_node_that_stops_asks_nobody_any_more() -> None:
    async with watched() as (here, owner, second):
        owner.tell(21, 22)
        await asyncio.sleep(MOMENT)
        here.watching.stop()
        number = len(here.asked)
        await asyncio.sleep(60)
        here.move(second)
        await asyncio.sleep(60)
        assert (len(here.asked), len(owner.rows), second.rows) == (number, 1, [])


@in_virtual_time
async def test_the_repetition_also_forgets_nodes_that_do_not_watch_any_more() -> None:
    async with stage() as (here, other, _):
        here.watching.start()
        here.loaded[7] = (4, 1)
        await other._links.call(here.name, WATCH, [(7, 4, 1, 0)], 5)
        await asyncio.sleep(30)
        here.own(2)
        await asyncio.sleep(MOMENT)
        assert here.tally.sent == 0


@in_virtual_time
async def test_many_screenings_are_repeated_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SLICE", 2)
    async with stage() as (here, owner, _):
        for screening_id in range(1, 6):
            owner.positions[screening_id] = (1, screening_id)
            here.sockets.watched(screening_id)
        await asyncio.sleep(MOMENT)
        here.sockets.unwatched(2)
        owner.rows.clear()
        owner.times.clear()
        here.watching.renew()
        await asyncio.sleep(SLICE_SECONDS / 2)
        here.sockets.unwatched(4)
        await asyncio.sleep(5 * SLICE_SECONDS)
        assert owner.rows == [[(1, 1, 1, 0), (3, 1, 3, 0)], [(5, 1, 5, 0)]]
        pauses = [after - before for before, after in zip(owner.times, owner.times[1:], strict=False)]
        assert all(SLICE_SECONDS - 0.004 < pause < SLICE_SECONDS + 0.004 for pause in pauses)
        owner.times.clear()
        await asyncio.sleep(RENEW_SECONDS)
        assert len(owner.times) == 2


@in_virtual_time
async def test_a_failure_does_not_interrupt_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SLICE", 1)
    async with stage() as (here, owner, _):
        for screening_id in range(1, 5):
            owner.positions[screening_id] = (1, screening_id)
            here.sockets.watched(screening_id)
        await asyncio.sleep(MOMENT)
        owner.rows.clear()
        here.watching.renew()
        here.node.connection.abandon()
        await asyncio.sleep(MOMENT)
        told = [row[0] for rows in owner.rows for row in rows]
        assert told == [2, 3, 4]
        await asyncio.sleep(2 * RETRY_SECONDS)
        assert [row[0] for rows in owner.rows for row in rows][3:] == [1, 2, 3, 4]


@in_virtual_time
async def test_a_defect_of_an_owner_is_logged_and_it_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as (here, owner, _):
        owner.positions = None  # type: ignore[assignment]
        here.watching.renew()
        await asyncio.sleep(2 * RETRY_SECONDS)
        assert "watching screenings of another node" in caplog.text
        assert len(owner.rows) >= 3


@in_virtual_time
async def test_owners_that_are_away_are_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as (here, owner, _):
        owner.silent = True
        here.watching.renew()
        await asyncio.sleep(2 * ANSWER_SECONDS)
        assert caplog.text == ""
