"""The rules for Prometheus: each alert fires when it must and only then, and operators find what to do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.debian import program
from tests.deploy.examples import PROJECT, ran
from tests.deploy.prometheus import RULES
from tests.proxies.programs import DEPLOY

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())
INTERVAL = "15s"
MANUAL = (PROJECT / "docs" / "operations.md").read_text()
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


def test_the_rules_are_valid() -> None:
    checked = ran(program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert checked.returncode == 0, checked.stderr


def test_every_alert_has_a_severity_and_a_summary() -> None:
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert rule["annotations"]["summary"], name


LINES: dict[str, str] = {
    name: f"Meaning: {meaning}. What to do: {action}."
    for name, meaning, action in re.findall(
        r'^\| <a id="Frontrow\w+"></a>`(Frontrow\w+)` \| ([^|]+) \| ([^|]+) \|$', MANUAL, re.MULTILINE
    )
}
"""Text of the manual for each alert."""


def test_every_alert_has_its_line_in_the_manual_and_the_other_way_round() -> None:
    assert list(LINES) == list(ALERTS)


def test_every_alert_brings_its_line_of_the_manual_and_leads_to_it() -> None:
    for name, rule in ALERTS.items():
        without_links = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", LINES[name])
        assert rule["annotations"]["description"] == without_links, name
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name}"
        assert f'<a id="{name}"></a>' in MANUAL


def test_every_alert_has_its_cases() -> None:
    assert list(CASES) == list(ALERTS)


def test_alerts_fire_when_they_must_and_only_then(tmp_path: Path) -> None:
    tested = ran(program("promtool"), "test", "rules", *_written(tmp_path))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _written(folder: Path) -> Iterator[Path]:
    """Write a test file of promtool for each alert, with its rule alone, which is faster."""
    recording = str(DEPLOY / "prometheus" / "recording.yml")
    for name, case in CASES.items():
        rule, test = folder / f"{name}.rule.json", folder / f"{name}.test.json"  # JSON is YAML
        rule.write_text(json.dumps({"groups": [{"name": name, "rules": [ALERTS[name]]}]}))
        interval = case.get("interval", INTERVAL)
        tests = [_promtool_test(name, case, interval, kind) for kind in ("fires", "quiet")]
        content = {"rule_files": [recording, str(rule)], "evaluation_interval": interval, "tests": tests}
        test.write_text(json.dumps(content))
        yield test


def _promtool_test(name: str, case: dict[str, Any], interval: str, kind: str) -> dict[str, Any]:
    """Return a test of promtool: the alert fires, once or more, or it does not."""
    firing = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0'
    samples = [{"labels": "{}", "value": 1}] if kind == "fires" else []
    return {
        "name": f"{name} {kind}",
        "interval": interval,
        "input_series": [
            {"series": series if "{" in series else f'{series}{{instance="a"}}', "values": values}
            for series, values in case[kind].items()
        ],
        "promql_expr_test": [{"expr": firing, "eval_time": case.get("at", "10m"), "exp_samples": samples}],
    }
