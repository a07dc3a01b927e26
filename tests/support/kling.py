"""Kling's adapter as its tests ask it."""

from functools import partial
from itertools import cycle, islice
from typing import Any, Final

import httpx
from pydantic import SecretStr
from tests.support import adapters
from tests.support.adapters import NOW
from tests.support.calls import to_endpoint

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, Rejected, Submission
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Call, LostSubmit, SubmitIds
from vidgate.providers.kling import Kling

HOST: Final = "https://api-singapore.klingai.com"
API_KEY: Final = "api-key-kling-0123456789abcdef"
SECRET: Final = "0123456789abcdef0123456789abcdef"
ACCESS_AND_SECRET: Final = f"AK0123456789|{SECRET}"
CORRELATION: Final = "vg_0123456789abcdef"
IDS: Final = SubmitIds(correlation=CORRELATION)
TEXT: Final = "/v1/videos/text2video"
IMAGE: Final = "/v1/videos/image2video"
OMNI: Final = "/v1/videos/omni-video"
MOTION: Final = "/v1/videos/motion-control"
A: Final = Image(url="https://pictures.example/a.png")
B: Final = Image(url="https://pictures.example/b.png")
CLIP: Final = "https://videos.example/clip.mp4"
MOVED: Final = {"video_url": CLIP, "character_orientation": "video"}
FEATURE: Final = [{"video_url": CLIP, "refer_type": "feature"}]
BASE: Final = [{"video_url": CLIP, "refer_type": "base"}]

kling: Final = Kling()
recorded = partial(adapters.recorded, "kling")


def access(credential: str = API_KEY, base_url: str = HOST) -> ChannelAccess:
    return ChannelAccess(base_url, SecretStr(credential))


def png(width: int, height: int) -> bytes:
    return adapters.png(width, height).content or b""


def in_vendor_fields(model: str, **metadata: Any) -> VideoRequest:
    """Vendor fields beside a prompt, with as many pictures as `_images` says."""
    images = tuple(islice(cycle((A, B)), metadata.pop("_images", 0)))
    prompt = metadata.pop("_prompt", "a boat")
    return VideoRequest(model=model, prompt=prompt, images=images, metadata=metadata)


def submit(request: VideoRequest, credential: str = API_KEY, ids: SubmitIds = IDS) -> httpx.Request:
    return kling.submit(kling.translate(request), access(credential), ids, NOW).request


def sent_to(path: str, base_url: str = HOST, **body: Any) -> Call[Submission | Rejected]:
    return kling.submit(to_endpoint(path, **body), access(API_KEY, base_url), IDS, NOW)


def find(endpoint: str, credential: str = API_KEY) -> Call[Found]:
    lost = LostSubmit(endpoint=endpoint, ids=IDS, sent_at=NOW, ends_at=NOW)
    return kling.find(lost, access(credential), NOW)
