"""`/client/`: serves the JavaScript client (docs/client.md), so that pages need not bundle a copy."""

from importlib.resources import files

from tornado.routing import URLSpec

from api.documents.static_files import StaticFile


class ClientFile(StaticFile):
    """A module of the JavaScript client."""

    route = "/client/{file}"
    # Browsers must revalidate (and get a 304); otherwise a page could mix modules of two releases.
    caching = "no-cache"

    def set_extra_headers(self, path: str) -> None:
        """Allow pages of any site to import the module. Browsers load modules with CORS; it is public."""
        super().set_extra_headers(path)
        self.set_header("Access-Control-Allow-Origin", "*")


def client_routes() -> list[URLSpec]:
    """Return the route that serves the client's modules."""
    return [URLSpec(r"/client/(\w+\.js)", ClientFile, {"path": str(files("web") / "client")})]
