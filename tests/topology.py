"""The processes behind the public interface in tests, chosen by `FRONTROW_TEST_NODES`.

Empty means one server. `workers:2` means two workers of one supervisor. `nodes:3` means three nodes on one
database and one NATS server; each connection goes to a random one, and clients of tests open a connection for
each request.

Tests that are about one server are left out otherwise; `ABOUT_ONE_SERVER` gives the reasons.
"""

import os
import re
from typing import NamedTuple

import pytest

VARIABLE = "FRONTROW_TEST_NODES"


class Topology(NamedTuple):
    """Number of processes that serve.

    Attributes:
        workers: of each supervisor; 1 means no supervisor.
        nodes: that are started one by one.
    """

    workers: int
    nodes: int

    @property
    def is_cluster(self) -> bool:
        return self.workers > 1 or self.nodes > 1


ONE_SERVER = Topology(1, 1)

PORTS_OF_ONE = ("extra_ports", "metrics_port")
"""Settings that only one node on a machine can have."""


def topology() -> Topology:
    """Return the topology that the environment of this process names."""
    named = os.environ.get(VARIABLE, "")
    match = re.fullmatch(r"(workers|nodes):([2-9])", named)
    assert match or not named, (
        f"{VARIABLE} must be empty, workers:N or nodes:N with N from 2 to 9, not {named!r}"
    )
    if match is None:
        return ONE_SERVER
    number = int(match[2])
    return Topology(number, 1) if match[1] == "workers" else Topology(1, number)


ABOUT_ONE_SERVER = {
    "catalogue/test_ticket_export.py": "counts what the server makes in this process",
    "contracts/test_clusters.py": "runs other tests against clusters",
    "acceptance/test_one_server.py": "a single server and its standby",
    "acceptance/test_two_servers.py": "two servers without NATS",
    "acceptance/test_workers.py": "starts its own workers",
    "acceptance/test_counts_after_a_crash.py": "starts its own nodes",
    "acceptance/test_pooler.py": "poolers are refused before anything is served",
    "acceptance/test_demo.py": "ports of one process, and a demo without workers",
    "acceptance/test_memory_of_refusals.py": "the memory of one process",
    "acceptance/test_log.py": "counts the lines of one process",
    "acceptance/test_halls.py": "the memory of one process",
    "TestSecurity::test_requests_of_an_address_are_limited": "each node counts requests for itself",
    "TestSecurity::test_requests_of_a_session_are_limited": "each node counts requests for itself",
    "TestSecurity::test_a_new_session_for_each_reservation": "each node counts requests for itself",
    "test_a_repeat_gets_the_result_that_was_still_being_written": "follows one server step by step",
    "acceptance/test_shutdown.py::test_a_second_server_on_the_directory_is_refused": "a single server",
}
"""Tests by file or name that mean nothing in a cluster, with the reason."""


def left_out(test_id: str) -> str | None:
    """Return why a test is left out in a cluster; None if it is not.

    Args:
        test_id: pytest's.
    """
    for name, reason in ABOUT_ONE_SERVER.items():
        if name in test_id:
            return reason
    return None


def prepare(items: list[pytest.Item]) -> None:
    """Skip collected tests that are left out in this run."""
    for item in items if topology().is_cluster else ():
        if reason := left_out(item.nodeid):
            item.add_marker(pytest.mark.skip(reason=f"not for a cluster: {reason}"))
