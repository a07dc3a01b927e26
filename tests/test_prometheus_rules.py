"""The alerts that come along ask for what there is."""

import re
from pathlib import Path

from vidgate.models.channels import ChannelState
from vidgate.services.metrics import Metrics

_RULES = (Path(__file__).parents[1] / "deploy/prometheus/rules.yaml").read_text()
_EXPRESSION = re.compile(r"^        expr: (?:\|\n)?((?:.+\n)(?:          .+\n)*)", re.MULTILINE)
_EXPRESSIONS = _EXPRESSION.findall(_RULES)


def test_every_metric_that_is_asked_for_is_there() -> None:
    there = {
        sample
        for family in Metrics().registry.collect()
        for sample in (family.name, f"{family.name}_total")
    }
    asked = {name for one in _EXPRESSIONS for name in re.findall(r"vidgate_\w+", one)}

    assert asked
    assert asked <= there


def test_every_alert_has_what_an_operator_needs() -> None:
    alerts = _RULES.split("      - alert: ")[1:]

    assert len(alerts) == len(_EXPRESSIONS) >= 5
    for alert in alerts:
        for part in ("expr:", "severity:", "summary:", "description:"):
            assert part in alert, alert


def test_every_state_that_is_no_good_is_an_alert() -> None:
    [states] = re.findall(r'state=~"([^"]+)"', _RULES)

    assert set(states.split("|")) == set(ChannelState) - {ChannelState.OK}
