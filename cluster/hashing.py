"""Rendezvous hashing: which node of a cluster owns a screening or a key.

Each node gets a score for each key, and the highest score owns the key. When a node leaves, only its keys
move, and when one joins, only the keys that it wins. Nodes never negotiate: equal sets of nodes give equal
owners, so the scores must be the same in every process and in every release (a test keeps some of them).

Screenings are hashed by integer arithmetic: Python's `hash` of text differs between processes, and a digest
per node would cost several times as much.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from hashlib import blake2b

CACHED_OWNERS = 100_000
"""Owners that a ring remembers, of screenings and of keys each; others are computed again."""

_MASK = (1 << 64) - 1
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

_Seeds = list[tuple[str, int]]


def mixed(number: int) -> int:
    """Return 64 well distributed bits of a number: the finalizer of SplitMix64 (Steele, Lea, Flood, 2014)."""
    number = (number ^ (number >> 30)) * _FIRST & _MASK
    number = (number ^ (number >> 27)) * _SECOND & _MASK
    return number ^ (number >> 31)


def hashed(text: str) -> int:
    """Return 64 well distributed bits of a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class Ring:
    """The owners of all screenings and keys for one set of nodes. Immutable; owners are cached.

    Args:
        nodes: marks of the nodes that may own something.

    Attributes:
        owner_of: returns the node that owns a screening, by its id; None if there are no nodes.
        node_of: returns the node that counts or claims a key, such as an account; None if there are no nodes.
    """

    def __init__(self, nodes: Iterable[str]) -> None:
        self.nodes = tuple(sorted(set(nodes)))
        seeds = [(node, hashed(node)) for node in self.nodes]
        # Not methods: a cache of bound methods would keep old rings alive until the collector runs.
        self.owner_of = lru_cache(CACHED_OWNERS)(partial(_owner_of, seeds))
        self.node_of = lru_cache(CACHED_OWNERS)(partial(_node_of, seeds))


def _owner_of(seeds: _Seeds, screening_id: int) -> str | None:
    return _winner(seeds, mixed(screening_id & _MASK))


def _node_of(seeds: _Seeds, key: str) -> str | None:
    return _winner(seeds, hashed(key))


def _winner(seeds: _Seeds, key: int) -> str | None:
    winner, best = None, -1
    for node, seed in seeds:
        score = mixed(key ^ seed)
        if score > best:
            winner, best = node, score
    return winner
