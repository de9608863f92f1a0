"""File descriptors: every connection needs one, and the usual soft limit of 1,024 is soon reached."""

import logging
import resource

log = logging.getLogger("frontrow")

_OTHERS = 256
"""Descriptors for the database, log files, listening sockets and the like."""


def allow_descriptors(connections: int) -> int:
    """Raise this process's limit on open files as far as it may be raised.

    Args:
        connections: how many connections the settings allow; it is logged if there can't be so many.

    Returns:
        The limit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < connections + _OTHERS:
        log.warning(
            "the settings allow %d connections, but this process may open only %d files: "
            "raise the limit (ulimit -n, LimitNOFILE=) or lower FRONTROW_CONNECTIONS_LIMIT",
            connections,
            hard,
        )
    return hard
