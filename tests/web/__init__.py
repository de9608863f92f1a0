"""The JavaScript client in Node and in a browser, with the real server."""
