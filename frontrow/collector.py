"""How often Python looks for garbage that is caught in cycles."""

import gc

_THRESHOLDS = (5_000, 200, 50)
"""New objects until the youngest are looked at, and how often those of the next two generations are."""


def spare_the_collector() -> None:
    """Let the cyclic garbage collector come seldom, and pass over what stays for good.

    Nothing on the path of a request makes cycles, and by Python's defaults every few dozen requests would
    have it look at all that is young, and all too often at everything there is.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
