"""Files for browsers: `client/` is the JavaScript client (docs/client.md), served under `/client/`."""
