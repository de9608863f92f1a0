"""`/redoc` and `/asyncapi`: the API's documents to read, served entirely from this server.

`web.build` builds the pages, and copies the viewers that they load (Redoc, AsyncAPI's React component) into
web/dist/documents. They need no other site, and the policy of the pages lets them reach none.
"""

from tornado.routing import URLSpec

from api.documents.pages import BUILT, CONTENT_SECURITY_POLICY, PageFile, page
from api.rest.endpoint import Access, Answer, Call, Resource

viewers = Resource("", tag="Documentation")

# The viewers write styles into the page and bring fonts as data; Redoc searches in a worker.
_POLICY = (
    CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    .replace("font-src 'self'", "font-src 'self' data:")
    .replace("script-src 'self'", "script-src 'self'; worker-src blob:")
)
# AsyncAPI's component compiles JSON schemas when it is loaded.
_POLICY_OF_SOCKETS = _POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'")


def _document(call: Call, name: str, policy: str) -> Answer:
    return page(BUILT, name, call.services.path_prefix, call.services.currency, policy)


@viewers.get("/redoc", access=Access.PUBLIC, media_type="text/html")
async def documentation_to_read(call: Call) -> Answer:
    """Get the REST operations as a web page to read."""
    return _document(call, "redoc.html", _POLICY)


@viewers.get("/asyncapi", access=Access.PUBLIC, media_type="text/html")
async def documentation_of_sockets(call: Call) -> Answer:
    """Get the sockets and their messages as a web page, with a console to try them."""
    return _document(call, "asyncapi.html", _POLICY_OF_SOCKETS)


class Viewer(PageFile):
    """A file of a viewer, which changes only with a release."""

    route = "/viewers/{file}"
    caching = "public, max-age=86400"


def viewer_routes() -> list[URLSpec]:
    """Return the route that serves the viewers' files."""
    return [URLSpec(r"/viewers/([\w.-]+\.(?:js|css))", Viewer, {"path": str(BUILT / "documents")})]
