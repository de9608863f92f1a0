"""`/docs`: Swagger UI for the OpenAPI document, served entirely from this server."""

from importlib.resources import files

from tornado.routing import URLSpec

from api.bodies import Body
from api.documents.static_files import StaticFile
from api.rest.endpoint import Access, Answer, Call, Resource

docs_page = Resource("/docs", tag="Documentation")

_HEADERS = {
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; "
        "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
    ),
}

# All URLs are relative to the page, so that they work under any path prefix.
_PAGE = b"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Frontrow API</title>
<link rel="icon" type="image/png" sizes="32x32" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<style>
.samples .opblock-section-header { gap: 0.5rem; }
.samples button[aria-pressed="true"] { background: #3b4151; color: #fff; }
.samples pre { background: #1c1a23; color: #f3f1f7; margin: 1rem 1.25rem; overflow: auto; padding: 1rem; }
.samples code { font-family: monospace; }
</style>
</head>
<body>
<div id="api"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
"""

_SCRIPT = (files("api.documents") / "docs_page.js").read_bytes()


@docs_page.get("", access=Access.PUBLIC, media_type="text/html")
async def documentation(call: Call) -> Answer:
    """Get this documentation as a web page."""
    return Answer(200, Body(_PAGE), _HEADERS, "text/html; charset=utf-8")


@docs_page.get("/page.js", access=Access.PUBLIC, media_type="text/javascript")
async def documentation_script(call: Call) -> Answer:
    """Get the script of the documentation page."""
    return Answer(200, Body(_SCRIPT), _HEADERS, "text/javascript; charset=utf-8")


class Asset(StaticFile):
    """A file of Swagger UI, from the installed package."""

    route = "/docs/assets/{file}"
    # Files change only with the package.
    caching = "public, max-age=86400"


def asset_routes() -> list[URLSpec]:
    """Return the route that serves Swagger UI's files."""
    assets = str(files("swagger_ui") / "static")
    return [URLSpec(r"/docs/assets/([\w.-]+\.(?:js|css|png))", Asset, {"path": assets})]
