"""The Vidu adapter: what is refused of vendor fields, and what is left to the vendor."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.calls import to_endpoint
from tests.support.vidu import URLS, VIDEO, VIDU

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import FaultKind, Rejected
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import SubmitIds

SETTINGS = [{"key_image": url} for url in URLS[:2]]


def ask(model: str, pictures: int = 0, **metadata: Any) -> VideoRequest:
    images = tuple(Image(url=url) for url in URLS[:pictures])
    return VideoRequest(model=model, prompt="a paper boat", images=images, metadata=metadata)


REFUSED: dict[str, tuple[VideoRequest, str, str]] = {
    "tier": (ask("viduq2", resolution="4K"), "resolution", "Allowed: 540p, 720p, 1080p."),
    "no tier": (ask("viduq2", resolution="700P"), "resolution", "720p"),
    "tier that is no text": (ask("viduq2", resolution=700), "resolution", "720p"),
    "tier at that duration": (
        ask("vidu2.0", 1, duration=8, resolution="1080p"),
        "resolution",
        "Allowed: 720p.",
    ),
    "tier at that generic duration": (
        VideoRequest(
            model="vidu1.5", prompt="a boat", duration_seconds=8, metadata={"resolution": "360p"}
        ),
        "resolution",
        "Allowed: 720p.",
    ),
    "tier of an upscale": (
        ask("vidu-upscale", video_url=VIDEO, upscale_resolution="720p"),
        "upscale_resolution",
        "1080p, 2K, 4K, 8K",
    ),
    "duration": (ask("viduq1", duration=8), "duration", "Allowed: 5."),
    "duration as text": (ask("viduq1", duration="8"), "duration", "Allowed: 5."),
    "duration by endpoint": (ask("viduq2-pro", 2, duration=10), "duration", "7, 8."),
    "duration of an extension": (
        ask("viduq2-pro", video_url=VIDEO, duration=8),
        "duration",
        "1, 2, 3, 4, 5, 6, 7.",
    ),
    "ratio": (ask("viduq1", aspect_ratio="4:3"), "aspect_ratio", "16:9, 9:16, 1:1."),
    "automatic ratio": (ask("viduq2", 3, aspect_ratio="auto"), "aspect_ratio", "16:9"),
    "movement": (ask("viduq1", movement_amplitude="wild"), "movement_amplitude", "small"),
    "style": (ask("viduq1", style="noir"), "style", "general, anime"),
    "sound that is no switch": (ask("viduq3-pro", audio="no"), "audio", "true, false"),
    "sound as a number": (ask("viduq3-pro", audio=1), "audio", "true, false"),
    "kind of sound": (ask("viduq3-pro", audio_type="noise"), "audio_type", "speech_only"),
    "corner as a word": (ask("viduq1", wm_position="top_left"), "wm_position", "1, 2, 3, 4"),
    "corner as a number": (
        ask("viduq2-pro", video_url=VIDEO, wm_position=1),
        "wm_position",
        "top_left",
    ),
    "prompt": (ask("viduq1", prompt="x" * 5001), "prompt", "5000"),
    "pictures": (ask("viduq3-pro-fast", images=URLS[:2], action="img2video"), "images", "1."),
    "references": (ask("viduq3", images=URLS[:8]), "images", "6, 7."),
    "references beside subjects": (
        ask("viduq3", images=URLS[:1], subjects=[{"name": "mia"}]),
        "images",
        "Allowed: 0.",
    ),
    "subjects of a mix": (ask("viduq3-mix", subjects=[{"name": "mia"}]), "subjects", "mix"),
    "too many subjects": (ask("viduq3", subjects=[{"name": "mia"}] * 8), "subjects", "1 to 7"),
    "videos": (ask("viduq3", videos=[VIDEO]), "videos", "viduq2-pro has"),
    "sounds": (ask("viduq4-preview", 1, sounds=[VIDEO] * 4), "sounds", "1 to 3"),
    "subject with many pictures": (
        ask("viduq3", subjects=[{"name": "a", "images": URLS[:4]}]),
        "subjects.images",
        "at most 3 pictures",
    ),
    "subject with a video and many pictures": (
        ask("viduq2-pro", subjects=[{"name": "a", "images": URLS[:3], "videos": [VIDEO]}]),
        "subjects.images",
        "at most 3 pictures",
    ),
    "subject with two videos": (
        ask("viduq2-pro", subjects=[{"name": "a", "videos": [VIDEO] * 2}]),
        "subjects.videos",
        "at most 1 video",
    ),
    "second subject with a video": (
        ask("viduq2", subjects=[{"name": "a"}, {"name": "b", "videos": [VIDEO]}]),
        "subjects.videos",
        "viduq2-pro has",
    ),
    "sounds of Q3": (ask("viduq3", 1, sounds=[VIDEO]), "sounds", "viduq4-preview has"),
    "music of Q3": (ask("viduq3-pro", bgm=True), "bgm", "has no bgm"),
    "off-peak Q3 in silence": (
        ask("viduq3-pro", off_peak=True, audio=False),
        "off_peak",
        "with audio true",
    ),
    "off-peak Q2 with sound": (
        ask("viduq2", off_peak=True, audio=True),
        "off_peak",
        "with audio false",
    ),
    "off-peak references of Q2 Pro with sound": (
        ask("viduq2-pro", 3, off_peak=True, audio=True),
        "off_peak",
        "with audio false",
    ),
    "off-peak Q1 with sound": (
        ask("viduq1", off_peak=True, audio=True),
        "off_peak",
        "with audio false",
    ),
    "area": (
        ask("vidu-template", 1, template="exotic_princess", area="mars"),
        "area",
        "denmark",
    ),
    "area of another template": (
        ask("vidu-template", 1, template="hug", area="japan"),
        "area",
        "exotic_princess",
    ),
    "beast": (ask("vidu-template", 1, template="beast_companion", beast="cat"), "beast", "wolf"),
    "story": (ask("vidu-template-story", 1, story="brand_new"), "story", "monkey_king"),
    "off-peak mix": (ask("viduq3-mix", 1, off_peak=True), "off_peak", "has no off_peak"),
    "one key frame": (
        ask("viduq2-pro", 1, image_settings=SETTINGS[:1]),
        "image_settings",
        "2 to 9",
    ),
    "slow key frame": (
        ask("viduq2-pro", 1, image_settings=[*SETTINGS, {"key_image": VIDEO, "duration": 8}]),
        "image_settings.duration",
        "2, 3, 4, 5, 6, 7.",
    ),
    "speed": (ask("vidu-lip-sync", video_url=VIDEO, text="hello", speed=3), "speed", "0.5 to 2"),
    "speech": (ask("vidu-lip-sync", video_url=VIDEO, text="hi"), "text", "4 to 2000"),
    "a long pause": (
        ask("vidu-lip-sync", video_url=VIDEO, text="hello <#100#> there"),
        "text",
        "0.01 to 99.99",
    ),
    "a short pause in the prompt": (
        VideoRequest(
            model="vidu-lip-sync", prompt="so <#1#> it <#0.001#> is", metadata={"video_url": VIDEO}
        ),
        "prompt",
        "0.01 to 99.99",
    ),
    "sound from words": (ask("viduq2", audio=True), "audio", "Allowed: false."),
    "two subjects of one name": (
        ask("viduq2", subjects=[{"name": "a"}, {"name": "b"}, {"name": "a"}]),
        "subjects.name",
        "a name of its own",
    ),
    "three subjects with videos": (
        ask("viduq2-pro", subjects=[{"name": name, "videos": [VIDEO]} for name in "abc"]),
        "subjects.videos",
        "At most 2 subjects",
    ),
    "videos beside subjects": (
        ask("viduq2-pro", subjects=[{"name": "a"}], videos=[VIDEO]),
        "videos",
        "belongs in the subject",
    ),
    # Fields of other endpoints do nothing, and would still be billed, or make a bill smaller.
    "off-peak extension": (
        ask("viduq2-pro", video_url=VIDEO, off_peak=True),
        "off_peak",
        "extend has no off_peak; it is a field of text2video, img2video",
    ),
    "length of a lip-sync": (
        ask("vidu-lip-sync", video_url=VIDEO, text="hello", duration=1),
        "duration",
        "lip-sync has no duration",
    ),
    "resolution of a template": (
        ask("vidu-template", 1, template="hug", resolution="1080p"),
        "resolution",
        "template has no resolution",
    ),
    "sound of an upscale": (
        ask("vidu-upscale", video_url=VIDEO, audio=True),
        "audio",
        "upscale-new has no audio",
    ),
    "style of a first frame": (
        ask("viduq1", 1, style="anime"),
        "style",
        "img2video has no style; it is a field of text2video.",
    ),
    "voice between two frames": (ask("viduq1", 2, voice_id="7"), "voice_id", "img2video"),
    "kind of sound of an extension": (
        ask("viduq2-pro", video_url=VIDEO, audio_type="speech_only"),
        "audio_type",
        "extend has no audio_type",
    ),
    "place of a mark on an upscale": (
        ask("vidu-upscale", video_url=VIDEO, watermark=True, wm_position=3),
        "watermark",
        "upscale-new has no watermark",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_the_vendors_name_of_the_field(name: str) -> None:
    request, param, told = REFUSED[name]
    with pytest.raises(UnsupportedParameterError) as caught:
        VIDU.translate(request)
    assert caught.value.param == param
    assert told in caught.value.message


PASSED: dict[str, VideoRequest] = {
    "unknown field": ask("viduq2", zoom="4K"),
    "unknown model": ask("viduq9", resolution="9K", duration=99, style="noir", audio="no"),
    "automatic ratio": ask("viduq3", 1, aspect_ratio="auto"),
    "ratio of subjects": ask("viduq2", subjects=[{"name": "mia"}], aspect_ratio="21:9"),
    "ratio of a template": ask("vidu-template", 1, template="hug", aspect_ratio="21:9"),
    "empty ratio where there is none": ask("viduq3-pro", 1, aspect_ratio=""),
    "no music": ask("viduq3-pro", bgm=False),
    "off-peak with sound": ask("viduq3-pro", off_peak=True, audio=True),
    "off-peak with the usual sound": ask("viduq3", 1, off_peak=True),
    "off-peak in silence": ask("viduq2", off_peak=True, audio=False),
    "off-peak with the usual silence": ask("viduq2-pro", 1, off_peak=True),
    "off-peak of Q4": ask("viduq4-preview", 1, off_peak=True, audio=False),
    "not off-peak": ask("viduq3-pro", off_peak=False, audio=False),
    "three pictures of a subject": ask("viduq3", subjects=[{"name": "a", "images": URLS[:3]}]),
    "a video of a subject": ask(
        "viduq2-pro", subjects=[{"name": "a", "images": URLS[:2], "videos": [VIDEO]}]
    ),
    "area": ask("vidu-template", 1, template="exotic_princess", area="japan"),
    "beast": ask("vidu-template", 1, template="beast_companion", beast="wolf"),
    "bare text of an unknown model": ask("viduq9", images=["asset-1", "ab", 5, ""]),
    "pictures that are no text": ask("viduq3", images=[{"url": URLS[0]}]),
    "other spelling": ask("viduq3-pro", audio_type="sound-effect_only"),
    "zero is not given": ask("viduq3-pro", duration=0),
    "number as text": ask("viduq3-pro", duration="16"),
    "automatic duration": ask("viduq2-pro", 3, duration=0),
    "fifteen references": ask("viduq4-preview", images=URLS[:15]),
    "twelve pictures of a template": ask("vidu-template", template="hug", images=URLS[:12]),
    "empty": ask("viduq2", resolution="", aspect_ratio="", duration=None),
    "seed": ask("viduq2", seed=-1),
    "not off-peak where there is none": ask("viduq2-pro", video_url=VIDEO, off_peak=False),
    "two subjects with videos": ask(
        "viduq2-pro",
        subjects=[
            {"name": "a", "videos": [VIDEO]},
            {"name": "b", "videos": [VIDEO]},
            {"name": "c"},
        ],
    ),
    "pauses": ask("vidu-lip-sync", video_url=VIDEO, text="a <#0.01#> b <#99.99#> c <#x#>"),
    "nothing of another endpoint": ask("viduq3-pro", style="", videos=[], is_rec=False),
    "empty lists": ask("viduq2", 3, subjects=[], videos=[], sounds=[], auto_subjects=False),
    "nine key frames": ask("viduq2-pro", 1, image_settings=[{"key_image": URLS[0]}] * 9),
}


@pytest.mark.parametrize("name", PASSED)
def test_left_to_the_vendor(name: str) -> None:
    request = PASSED[name]
    body = VIDU.translate(request).body
    sent = {key: value for key, value in request.metadata.items() if value is not None}
    assert {key: body[key] for key in sent} == sent


AS_WRITTEN: dict[str, tuple[VideoRequest, str]] = {
    "style of a first frame": (ask("viduq1", 1, style="anime"), "style"),
    "ratio of a first frame": (ask("viduq3-pro", 1, aspect_ratio="16:9"), "aspect_ratio"),
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_a_client_of_vidus_own_format_is_told_what_vidu_does_not_read(name: str) -> None:
    request, idle = AS_WRITTEN[name]
    translation = VIDU.translate(replace(request, vendor_format="vidu"))
    assert translation.ignored == (idle,)
    assert translation.body[idle] == request.metadata[idle]


@pytest.mark.parametrize("name", ["off-peak extension", "sound of an upscale"])
def test_what_would_change_the_bill_is_refused_in_vidus_own_format_too(name: str) -> None:
    request, param, _ = REFUSED[name]
    with pytest.raises(UnsupportedParameterError) as caught:
        VIDU.translate(replace(request, vendor_format="vidu"))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("request_", "idle"),
    [
        (ask("viduq2", movement_amplitude="small", style="anime"), ("movement_amplitude", "style")),
        (ask("viduq3-pro", 2, movement_amplitude="large"), ("movement_amplitude",)),
        (ask("viduq3-pro", 1, voice_id="7"), ("voice_id",)),
        (ask("viduq2-pro", 1, voice_id="7"), ()),
        (ask("viduq2", bgm=True, duration=9), ("bgm",)),
        (ask("viduq2", bgm=True, duration=8), ()),
        (ask("viduq1", movement_amplitude="small", style="anime"), ()),
        (ask("viduq2", movement_amplitude="auto", style="general", bgm=False, duration=9), ()),
        (ask("viduq1", wm_position=1), ("wm_position",)),
        (ask("viduq1", wm_position=1, watermark=True), ()),
        (ask("viduq2-pro", video_url=VIDEO, wm_position="top_left"), ("wm_position",)),
        (ask("viduq9", style="anime"), ()),
        # Forms that are the same for every endpoint.
        (ask("viduq3-pro", 1, aspect_ratio="16:9"), ("aspect_ratio",)),
        (ask("viduq1", 2, aspect_ratio="16:9", seed=5), ("aspect_ratio",)),
        (ask("viduq2-pro", video_url=VIDEO, seed=5, audio_type="all"), ("seed",)),
        (
            ask("viduq3-pro", 1, style="anime", movement_amplitude="small"),
            ("movement_amplitude", "style"),
        ),
        (ask("viduq3-pro", 2, voice_id="7"), ("voice_id",)),
        (ask("viduq2-pro", video_url=VIDEO, movement_amplitude="large"), ("movement_amplitude",)),
        (
            ask("vidu-upscale", video_url=VIDEO, watermark=False, wm_position=3),
            ("prompt", "wm_position"),
        ),
    ],
)
def test_what_the_vendor_takes_and_ignores_is_named(
    request_: VideoRequest, idle: tuple[str, ...]
) -> None:
    translation = VIDU.translate(request_)
    assert translation.ignored == idle
    assert translation.body.items() >= request_.metadata.items()


def test_the_older_name_of_a_subjects_name() -> None:
    subjects = [{"id": "mia", "images": URLS[:1]}, {"id": "1", "name": "rex"}, "odd", {"id": 5}]
    body = VIDU.translate(ask("viduq3", subjects=subjects)).body
    renamed = [{"name": "mia", "images": URLS[:1]}, *subjects[1:]]
    assert body["subjects"] == renamed
    assert VIDU.translate(ask("viduq9", subjects=subjects)).body["subjects"] == subjects


def refuse(status: int, body: dict[str, Any]) -> Rejected:
    channel = ChannelAccess("https://api.vidu.cn", SecretStr("vda_key"))
    now = datetime(2026, 11, 20, tzinfo=UTC)
    sent = VIDU.submit(to_endpoint("/ent/v2/text2video"), channel, SubmitIds(correlation="x"), now)
    answer = sent.read(httpx.Response(status, json=body))
    assert isinstance(answer, Rejected)
    return answer


def error(reason: str, message: str, fields: str = "") -> dict[str, Any]:
    return {"code": 400, "reason": reason, "message": message, "metadata": {"fields": fields}}


@pytest.mark.parametrize(
    ("body", "kind", "param"),
    [
        (error("FieldInvalid", "invalid", "seed"), FaultKind.BAD_PARAMETER, "seed"),
        (error("FieldLacking", "missing: prompt"), FaultKind.BAD_PARAMETER, "prompt"),
        (error("FieldInvalid", "invalid", "vda_x"), FaultKind.BAD_PARAMETER, ""),
        (error("FieldInvalid", "invalid field: model"), FaultKind.MODEL_UNAVAILABLE, ""),
        (error("ModelUnavailable", "model unavailable"), FaultKind.MODEL_UNAVAILABLE, ""),
        (error("ModelUnavailable", "no", "model"), FaultKind.MODEL_UNAVAILABLE, ""),
        (error("CreditInsufficient", "no", "model"), FaultKind.BALANCE, ""),
    ],
)
def test_a_refusal_tells_the_field_it_is_about(
    body: dict[str, Any], kind: FaultKind, param: str
) -> None:
    fault = refuse(400, body).fault
    assert (fault.kind, fault.param) == (kind, param)
    assert "model" not in fault.safe_message.lower() or kind is FaultKind.BAD_PARAMETER
