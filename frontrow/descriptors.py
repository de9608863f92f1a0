"""Raises the limit on open files: each connection needs a descriptor, and the usual soft limit is 1,024."""

import logging
import resource

from frontrow.settings import TABLE, Settings

log = logging.getLogger("frontrow")

_OTHERS = 256
"""Descriptors reserved for the database, log files, listening sockets and the like."""

_FEW = 4096
"""Hard limit below which an operator is warned: lower ones are unusual, and soon reached."""


def allow_descriptors(settings: Settings) -> None:
    """Raise the soft limit of this process to its hard limit, and warn if that is too low.

    The default settings allow more connections than many machines allow open files, which is harmless. So the
    warning is only logged if the operator has raised a limit beyond what is possible, or if the hard limit is
    very low.

    Args:
        settings: limit the connections and WebSockets.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = {name: getattr(settings, name) for name in ("connections_limit", "sockets_limit")}
    usual = all(TABLE[name].default == number for name, number in wanted.items())
    if hard != resource.RLIM_INFINITY and hard < (_FEW if usual else sum(wanted.values()) + _OTHERS):
        log.warning(
            "this process can open only %d files, but FRONTROW_CONNECTIONS_LIMIT and FRONTROW_SOCKETS_LIMIT "
            "allow %d connections: raise the limit on open files (ulimit -n, LimitNOFILE=) or lower them",
            hard,
            sum(wanted.values()),
        )
