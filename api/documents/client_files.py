"""`/client/`: the JavaScript client (docs/client.md), so that pages need no copy of their own."""

from importlib.resources import files

from tornado.routing import URLSpec

from api.documents.static_files import StaticFile


class ClientFile(StaticFile):
    """A module of the client."""

    route = "/client/{file}"
    # Asked for anew each time (and answered with 304), or modules of two releases might meet in a page.
    caching = "no-cache"

    def set_extra_headers(self, path: str) -> None:
        """Let pages of any site import it: browsers fetch modules by CORS, and nothing in it is secret."""
        super().set_extra_headers(path)
        self.set_header("Access-Control-Allow-Origin", "*")


def client_routes() -> list[URLSpec]:
    """The route of the client's modules."""
    return [URLSpec(r"/client/(\w+\.js)", ClientFile, {"path": str(files("web") / "client")})]
