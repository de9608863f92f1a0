"""`/metrics`, for those who may read it.

It is served with the API or on a port of its own (`MetricsApplication` in `api.application`). If a token is
set, either port requires it.
"""

from api.bodies import Body
from api.errors import ApiError
from api.identity.errors import NotAuthenticated, TokenRefused
from api.identity.shared_secret import require_secret
from api.rest.endpoint import Access, Answer, Call, Resource
from api.rest.plan import credentials_in

metrics_page = Resource("", tag="Server")


class MetricsClosed(ApiError):
    """Figures about the server are not served here."""

    status, code = 403, "metrics_closed"

    def __init__(self) -> None:
        super().__init__(
            "Metrics are not served here; FRONTROW_METRICS_PORT or FRONTROW_METRICS_TOKEN opens them"
        )


@metrics_page.get(
    "/metrics",
    access=Access.PUBLIC,
    media_type="text/plain",
    refusals=(NotAuthenticated, TokenRefused, MetricsClosed),
)
async def metrics(call: Call) -> Answer:
    """Metrics for Prometheus. The server's settings say whether a Bearer token is needed."""
    services = call.services
    if services.metrics_token:
        require_secret(credentials_in(call.headers.get("Authorization", "")), services.metrics_token)
    elif not services.metrics_open:
        raise MetricsClosed
    media_type, page = services.metrics_page(call.headers.get("Accept", ""))
    return Answer(200, Body(page), media_type=media_type)
