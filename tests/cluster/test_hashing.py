"""Rendezvous hashing: stable, balanced, and moving no more than it must."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from cluster.hashing import Ring, hashed, mixed

MARKS = [f"{number:08x}" for number in range(1, 17)]
SCREENINGS = range(1, 20_001)

OWNERS = {
    1: "00000002",
    2: "00000001",
    3: "00000001",
    42: "00000003",
    2**31: "00000001",
    2**63 - 1: "00000002",
}
NODES = {"user:7": "00000002", "account:ada@example.com": "00000003", "": "00000003", "Füße": "00000003"}


def test_owners_are_the_same_in_every_release() -> None:
    """Nodes of two releases serve side by side and must agree, so these values never change."""
    ring = Ring(MARKS[:3])
    assert mixed(1) == 0x5692161D100B05E5
    assert hashed("00000001") == 0xB2817C544D2B92C6
    assert {screening: ring.owner_of(screening) for screening in OWNERS} == OWNERS
    assert {key: ring.node_of(key) for key in NODES} == NODES


def test_owners_are_the_same_in_every_process_and_order() -> None:
    program = f"from cluster.hashing import Ring; print(*map(Ring({MARKS[::-1]}).owner_of, range(1, 500)))"
    printed = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert printed.split() == [Ring(MARKS).owner_of(screening) for screening in range(1, 500)]


def test_screenings_are_spread_evenly() -> None:
    for count in (2, 3, 16):
        ring = Ring(MARKS[:count])
        owners = [ring.owner_of(screening) for screening in SCREENINGS]
        shares = [owners.count(mark) * count / len(owners) for mark in MARKS[:count]]
        assert min(shares) > 0.9 and max(shares) < 1.1


def test_screenings_with_regular_ids_are_spread_evenly() -> None:
    """Ids may be handed out in steps, for example by several sequences."""
    ring = Ring(MARKS[:4])
    for step in (4, 16, 1000, 2**32):
        owners = [ring.owner_of(step * number) for number in range(8000)]
        assert all(1700 < owners.count(mark) < 2300 for mark in MARKS[:4])


def test_keys_are_spread_evenly() -> None:
    ring = Ring(MARKS[:4])
    nodes = [ring.node_of(f"user:{number}") for number in range(8000)]
    assert all(1700 < nodes.count(mark) < 2300 for mark in MARKS[:4])


@given(st.sets(st.sampled_from(MARKS), min_size=1), st.sampled_from(MARKS))
def test_only_the_share_of_a_node_moves(others: set[str], node: str) -> None:
    without, with_it = Ring(others - {node}), Ring(others | {node})
    for screening in range(1, 300):
        before, after = without.owner_of(screening), with_it.owner_of(screening)
        assert after in (before, node)
    moved = sum(with_it.owner_of(screening) == node for screening in SCREENINGS[:2000])
    assert moved < 2000 / len(with_it.nodes) * 1.5 + 1


def test_a_ring_without_nodes_has_no_owner() -> None:
    assert Ring(()).owner_of(1) is None
    assert Ring(()).node_of("user:7") is None


def test_the_cache_is_bounded() -> None:
    ring = Ring(MARKS[:1])
    for screening in range(200_000):
        ring.owner_of(screening)
    assert ring.owner_of.cache_info().currsize == 100_000
