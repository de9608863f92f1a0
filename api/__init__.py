"""What clients see: REST and WebSocket handlers on Tornado, their schemas, and authentication."""
