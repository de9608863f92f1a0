"""The look of our dashboards: a few functions above the builders of Grafana's own SDK.

A panel in Grafana's JSON takes forty lines, of which four are about what it shows. Here it takes those four,
and all panels look alike.
"""

from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as commons
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "frontrow"
_WIDTH = 24

Panel = Builder[models.Panel]


def graph(title: str, description: str, unit: str, *queries: tuple[str, str], in_row: int = 3) -> Panel:
    """A graph over time.

    Args:
        title: what is shown.
        description: what it means, and when to worry.
        unit: as Grafana names it, such as `s`, `reqps` or `bytes`.
        queries: each with its legend.
        in_row: how many panels of this width fit beside each other.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(_WIDTH // in_row)
        .height(8)
        .min(0)
        .fill_opacity(10)
        .show_points(commons.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(commons.LegendDisplayMode.LIST)
            .placement(commons.LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(commons.TooltipDisplayMode.MULTI))
    )
    for letter, (query, legend) in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, query, legend))
    return panel


def number(title: str, description: str, unit: str, query: str, red_from: float | None = None) -> Panel:
    """A single number with its recent course.

    Args:
        title: what is shown.
        description: what it means.
        unit: as Grafana names it.
        query: has one result.
        red_from: the number that is a reason to act.
    """
    steps = [models.Threshold(None, "green")]
    if red_from is not None:
        steps.append(models.Threshold(red_from, "red"))
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(_WIDTH // 6)
        .height(4)
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(_target("A", query, ""))
    )


def board(name: str, title: str, description: str, *panels: Panel) -> models.Dashboard:
    """A dashboard.

    Args:
        name: the end of its uid, and the name of its file.
        title: in the list of dashboards.
        description: what it answers.
        panels: in the order in which they are read; three graphs or six numbers fill a row.
    """
    built = (
        dashboard.Dashboard(f"Frontrow: {title}")
        .uid(f"frontrow-{name}")
        .description(description)
        .tags([TAG])
        .editable()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("instance")
            .label("Server")
            .query('label_values(up{job="frontrow"}, instance)')
            .datasource(SOURCE)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(models.VariableOption(selected=True, text="All", value="$__all"))
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("Alerts")
            .datasource(SOURCE)
            .expr('ALERTS{alertname=~"Frontrow.*", alertstate="firing"}')
            .icon_color("red")
            .enable(True)
        )
        .link(
            dashboard.DashboardLink("Frontrow")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for number_of_panel, panel in enumerate(panels, start=1):
        made = panel.build()
        made.id_val = number_of_panel
        built.with_panel(_Built(made))
    return built.build()


class _Built(Builder[models.Panel]):
    """A panel that is complete; the dashboard gives it its place."""

    def __init__(self, panel: models.Panel) -> None:
        self._panel = panel

    def build(self) -> models.Panel:
        return self._panel


def _target(letter: str, query: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(query).legend_format(legend).range()
