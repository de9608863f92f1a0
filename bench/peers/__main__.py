"""`python -m bench.peers MODULE`: runs a peer until it is killed, with what it is given on standard input."""

import json
import sys
from importlib import import_module

import uvloop

from bench.peers.given import Given

if __name__ == "__main__":
    uvloop.run(import_module(sys.argv[1]).serve(Given(*json.load(sys.stdin))))
