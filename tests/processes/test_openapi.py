"""The description of the API held against a real gateway: generated requests, checked answers."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import hypothesis
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import (
    CheckFunction,
    allow_header_conformance,
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok
from tests.support.processes import open_town

_CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
_MADE = (
    "POST /v1/video/generations",
    "POST /v1/videos",
    "POST /kling/v1/videos/text2video",
    "POST /kling/v1/videos/image2video",
    "POST /kling/v1/videos/identify-face",
    "POST /kling/v1/videos/multi-elements/init-selection",
    "POST /kling/text-to-video/{model}",
    "POST /jimeng",
    "POST /",
    "POST /vidu/ent/v2/text2video",
    "POST /vidu/ent/v2/img2video",
)
_EXAMPLES = 25
"""Requests of each operation; a soak has more."""
_DOCUMENTED = 3
"""Requests beside them that are made of the documented examples."""


async def test_every_answer_is_as_it_is_described(database_url: str) -> None:
    async with open_town(database_url, sandbox={"speed": 1000}, VIDGATE_SUBMIT_WAIT="2") as town:
        gateway = await town.gateway()
        schema = await asyncio.to_thread(
            schemathesis.openapi.from_url, f"{gateway.url}/openapi.json"
        )
        seen: dict[str, set[int]] = defaultdict(set)
        failures = await asyncio.to_thread(lambda: list(_failures(schema, town.token, seen)))

    assert not failures, "\n\n".join(failures)
    for label in _MADE:
        # The documented examples are among the requests, and they work.
        assert 200 in seen[label], (label, seen[label])


def _failures(
    schema: schemathesis.BaseSchema, token: str, seen: dict[str, set[int]]
) -> Iterator[str]:
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue  # a stream, which ends with its task or never; it has tests of its own

        cases = [(operation.as_strategy(), _EXAMPLES)]
        if documented := operation.schema.get_strategies_from_examples(operation):
            cases.append((st.one_of(documented), _DOCUMENTED))
        for strategy, most in cases:

            @hypothesis.settings(
                max_examples=most,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            )
            @hypothesis.given(case=strategy)
            def check(case: schemathesis.Case[Any]) -> None:
                answer = case.call_and_validate(
                    headers={"Authorization": f"Bearer {token}"}, checks=_CHECKS, timeout=30
                )
                seen[case.operation.label].add(answer.status_code)

            try:
                check()
            except Exception as error:  # noqa: BLE001 - all of them are reported at the end
                yield f"{operation.label}: {error}"
