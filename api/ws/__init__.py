"""WebSockets in general: handshake, frames, connection, heartbeat, outbox, and the feed of changes."""
