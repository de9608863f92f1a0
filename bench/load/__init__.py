"""The load generator: a process on a core of its own that speaks raw HTTP and WebSocket frames."""
