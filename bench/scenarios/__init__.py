"""The scenarios, one module each, and the table of them."""

from bench.scenarios import holds
from bench.scenarios.scenario import Scenario

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "hold",
            "two seats held over REST, all by different users, then given back",
            "rate",
            "holds/s",
            holds.prepare,
        ),
    )
}
