"""The WebSockets on which users follow the availability of events."""
