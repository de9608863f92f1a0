"""`python -m bench.peers NAME`: runs a peer until SIGTERM. Its surroundings come over standard input."""

import asyncio
import sys
from importlib import import_module

import uvloop

from bench.peers.surroundings import Surroundings

if __name__ == "__main__":
    peer = import_module(f"bench.peers.{sys.argv[1]}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(peer.serve(Surroundings.from_json(sys.stdin.read())))
