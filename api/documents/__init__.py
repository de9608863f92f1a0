"""Descriptions of the server: OpenAPI, AsyncAPI, the docs page, static files, status pages, metrics."""
