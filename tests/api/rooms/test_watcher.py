"""Updates of a room that arrive after the response to a later change."""

from typing import Any

from api.rooms.watcher import RoomWatcher
from api.ws.feed import Frames, Position, Update
from engine.views import SeatsShown


class Shown:
    """An encoder that keeps the numbers of the changes in each update."""

    def __init__(self) -> None:
        self.updates: list[list[int]] = []

    def __call__(self, batches: Any) -> "Shown":
        self.updates.append([change.seq for batch in batches for change in batch])
        return self

    def frames(self, holder: str) -> Frames:
        return Frames(b"x", 1)


def update(*seqs: int, epoch: int = 1) -> Update:
    return Update([[SeatsShown(1, epoch, seq, 0.0, "seats_held", ())] for seq in seqs])


def live(encoder: Shown) -> RoomWatcher:
    watcher = RoomWatcher(1, "ana", encoder, lambda frames: None, lambda: None)
    watcher.buffer()
    watcher.follow(Position(1, 0))
    return watcher


def test_updates_before_the_clients_own_change_are_sent_together_with_it() -> None:
    shown = Shown()
    watcher = live(shown)
    assert watcher.take(update(1)) == 1
    watcher.answered(Position(1, 4))
    assert (watcher.take(update(2)), watcher.take(update(3))) == (0, 0)
    assert watcher.take(update(4, 5)) == 1
    assert watcher.take(update(6)) == 1
    assert shown.updates == [[1], [2, 3, 4, 5], [6]]


def test_an_earlier_answer_does_not_hide_a_later_one() -> None:
    shown = Shown()
    watcher = live(shown)
    watcher.answered(Position(1, 4))
    watcher.answered(Position(1, 3))
    assert watcher.take(update(3)) == 0
    assert watcher.take(update(4)) == 1
    assert shown.updates == [[3, 4]]


def test_a_later_epoch_includes_everything() -> None:
    shown = Shown()
    watcher = live(shown)
    watcher.answered(Position(1, 9))
    assert watcher.take(update(1)) == 0
    assert watcher.take(update(0, epoch=2)) == 1


def test_a_paused_client_is_not_sent_what_was_kept() -> None:
    shown = Shown()
    watcher = live(shown)
    watcher.answered(Position(1, 9))
    watcher.take(update(1))
    watcher.pause()
    watcher.buffer()
    watcher.follow(Position(1, 9))
    assert watcher.take(update(10)) == 1
    assert shown.updates == [[10]]
