"""Raises the limit on open files: each connection needs a descriptor, and the usual soft limit is 1,024."""

import logging
import resource

log = logging.getLogger("frontrow")

_OTHERS = 256
"""Descriptors reserved for the database, log files, listening sockets and the like."""


def allow_descriptors(connections: int) -> int:
    """Raise the soft limit of this process as far as the connections need and the hard limit allows.

    Args:
        connections: connections that the settings allow; a warning is logged if the limit is too low for
            them.

    Returns:
        The new limit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < connections + _OTHERS:
        log.warning(
            "the settings allow %d connections, but this process can open only %d files: "
            "raise the limit (ulimit -n, LimitNOFILE=) or lower FRONTROW_CONNECTIONS_LIMIT",
            connections,
            hard,
        )
    return hard
