"""The JavaScript client, under Node and in a browser, against the real server."""
