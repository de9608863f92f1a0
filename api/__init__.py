"""The API: REST and WebSocket handlers on Tornado, their schemas, and authentication."""
