"""`/metrics`, on the API's port or on a separate one (`MetricsApplication` in `api.application`).

If a metrics token is set, both ports require it.
"""

from api.bodies import Body
from api.errors import ApiError
from api.identity.errors import NotAuthenticated, TokenRefused
from api.identity.shared_secret import require_secret
from api.overload import Urgency
from api.rest.endpoint import Access, Answer, Call, Resource
from api.rest.plan import credentials_in

metrics_page = Resource("", tag="Server")


class MetricsClosed(ApiError):
    """Metrics are not served on this port."""

    status, code = 403, "metrics_closed"
    detail = "Metrics are not served here; set FRONTROW_METRICS_PORT or FRONTROW_METRICS_TOKEN to enable them"


@metrics_page.get(
    "/metrics",
    access=Access.PUBLIC,
    media_type="text/plain",
    urgency=Urgency.ALWAYS,
    refusals=(NotAuthenticated, TokenRefused, MetricsClosed),
)
async def metrics(call: Call) -> Answer:
    """Get metrics for Prometheus.

    Requires a Bearer token if the server's settings have one.
    """
    services = call.services
    if services.metrics_token:
        require_secret(credentials_in(call.headers.get("Authorization", "")), services.metrics_token)
    elif not services.metrics_open:
        port = services.metrics_port
        raise MetricsClosed(f"Metrics are served on port {port} (FRONTROW_METRICS_PORT)" if port else "")
    media_type, page = await services.metrics_page(call.headers.get("Accept", ""))
    return Answer(200, Body(page), media_type=media_type)
