"""Looking into a finished video."""

from unittest.mock import create_autospec

import pytest

from vidgate.models.ids import new_id
from vidgate.models.outcomes import VideoResult
from vidgate.providers.transport.guard import GuardedFetcher
from vidgate.services.attempts.video_header import Prober


@pytest.mark.parametrize(
    "result",
    [
        VideoResult(url="https://gate.test/v1/videos/1/content", protected=True),
        VideoResult(url="https://a.test", duration_seconds=5, fps=24, width=8, height=4),
    ],
)
async def test_what_is_known_or_needs_a_key_is_not_fetched(result: VideoResult) -> None:
    fetcher = create_autospec(GuardedFetcher, instance=True)

    assert await Prober(fetcher).complete(result, new_id()) == result

    fetcher.get_range.assert_not_called()
