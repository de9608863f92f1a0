"""What the server says about itself: OpenAPI, AsyncAPI, the docs page, static files, status pages."""
