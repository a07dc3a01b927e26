from collections.abc import AsyncIterator

import pytest
from tests.api.bad_requests import CASES, HUGE_CASES, Case, refuse
from tests.support.api import Api, open_api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


@pytest.mark.parametrize("case", [*CASES, *HUGE_CASES], ids=lambda case: case.name)
async def test_a_bad_request_is_refused_before_anything_is_made(api: Api, case: Case) -> None:
    await refuse(api.client, case)

    assert api.services.task_creator.requests == []
    assert api.budget.used_bytes == 0


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in [*CASES, *HUGE_CASES]]
    assert len(set(names)) == len(names)
