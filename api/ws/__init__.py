"""The life of any WebSocket: handshake, frames, connection, heartbeat, outbox and feed."""
