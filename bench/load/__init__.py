"""The load generator: a process on a core of its own that speaks raw HTTP and WebSocket frames."""


class MeasurementFailed(Exception):
    """A load or a peer failed, so that there is nothing to measure."""
