"""Seedance (ByteDance) at Volcengine Ark in China and BytePlus ModelArk elsewhere, API /api/v3.

Documentation: https://docs.byteplus.com/en/docs/modelark (video generation tasks, models, error
codes, retirements) and https://docs.volcengine.com/docs/ark/create-video-generation-task-api, read
2026-11-28. What is odd about it:

- Two clouds, one wire format. China's ids are `doubao-seedance-…`, the other's
  `dreamina-seedance-2-…` and `seedance-1-…`; without its date an id is our name of it. An endpoint
  (`ep-…`) is no model that we know: a channel lists it, or maps to it.
- What is not sent costs: sound is on, and 2.5 chooses the length. So everything is sent.
- Pictures, videos and sounds are items of `content`, each with a role; frames and references
  exclude each other. 2.5 would read in the prompt whether a video is to be edited, so it is told.
- What breaks a rule may be accepted, and fail a minute later in the words of a refusal.
- No id of ours comes back: a lost submit is looked for in a list that proves no absence.
- DELETE cancels a queued job, and destroys what a finished one has made.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from typing_extensions import override

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.outcomes import Fault, FaultKind, VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot, TaskStatus
from vidgate.providers.answers import Answer, link_ends_at, to_measure, to_seed, to_time, to_url
from vidgate.providers.base import (
    CLIP_PACE,
    OFF_PEAK_PACE,
    Action,
    ActionCapabilities,
    CallsBackUnsigned,
    Capabilities,
    FollowsUp,
    LostSubmit,
    ModelCapabilities,
    RunFacts,
    Translation,
)
from vidgate.providers.draft import Draft, to_whole
from vidgate.providers.fields import (
    SWITCH,
    Absent,
    Body,
    Check,
    Form,
    OneOf,
    Rule,
    Within,
    fold,
    refuse_misspelled,
    to_number,
)
from vidgate.providers.follow_ups import check_length, like, video_of
from vidgate.providers.pictures import PictureLimits, write_picture
from vidgate.providers.pieces import json_size
from vidgate.providers.resource import ListedJobs
from vidgate.providers.words import OURS, Meaning, Vocabulary, translate_words, wanted_action

__all__ = ["FORMS", "Seedance"]

_TASKS: Final = "/api/v3/contents/generations/tasks"
_LINK_LIFETIME: Final = timedelta(hours=24)
_EXPIRY: Final = 7200  # seconds, after which the vendor gives a job up; most take minutes
_PACE: Final = replace(CLIP_PACE, interval=timedelta(seconds=10))
_MAX_BODY_BYTES: Final = 64_000_000 - 4096  # for a callback address
_PICTURE_KINDS: Final = ("jpeg", "png", "webp", "bmp", "tiff", "gif", "heic", "heif")
_PICTURES: Final = PictureLimits(
    media_types=[f"image/{kind}" for kind in _PICTURE_KINDS],
    size_bytes=30_000_000,
    shortest_side=300,
    longest_side=6000,
    longest_ratio=2.5,
)

# Models

_RATIOS: Final = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
_TIERS: Final = ("480p", "720p", "1080p", "4k")
_FRAMES: Final = ("first_frame", "last_frame")
_REFERENCES: Final = {"reference_image": "pictures", "video_url": "videos", "audio_url": "sounds"}
_BY_FRAMES: Final = (Action.TEXT, Action.FIRST_FRAME, Action.FIRST_LAST_FRAME)
_TASK_TYPES: Final = {Action.REFERENCES: "reference", Action.EDIT: "edit", Action.EXTEND: "extend"}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one model takes, whichever cloud names it.

    Attributes:
        date: The end of its id.
        references: The most pictures, videos and sounds; none in the first generation, which makes
            no sound and does not choose the length.
        tier: The vendor's default.
        is_2_5: Whether it edits, extends and drafts; then a frame gives its video the shape.
    """

    date: str
    seconds: range
    tiers: tuple[str, ...]
    references: tuple[int, int, int] = (0, 0, 0)
    tier: str = "720p"
    has_last_frame: bool = True
    is_2_5: bool = False

    @property
    def is_first(self) -> bool:
        return not any(self.references)

    @property
    def actions(self) -> dict[Action, ActionCapabilities]:
        text = ActionCapabilities(
            endpoint=_TASKS,
            durations=tuple(self.seconds) if self.is_first else (0, *self.seconds),
            tiers=self.tiers,
            ratios=_RATIOS,
            sound=not self.is_first,
            seed=True,
        )
        frame = replace(text, images=(1, 1), ratios=() if self.is_2_5 else _RATIOS)
        actions = {Action.TEXT: text, Action.FIRST_FRAME: frame}
        if self.has_last_frame:
            actions[Action.FIRST_LAST_FRAME] = replace(frame, images=(2, 2))
        if not self.is_first:
            actions[Action.REFERENCES] = replace(text, images=(1, self.references[0]))
        if self.is_2_5:
            extend = replace(text, images=(0, self.references[0]), ratios=())
            actions |= {Action.EDIT: replace(extend, durations=()), Action.EXTEND: extend}
            actions[Action.UPSCALE] = ActionCapabilities(endpoint=_TASKS, tiers=("1080p",))
        return actions


_2_0: Final = _Kind("260128", range(4, 16), _TIERS, (9, 3, 3))
_1_0: Final = _Kind("250528", range(2, 13), _TIERS[:3], tier="1080p")
_KINDS: Final[Mapping[str, _Kind]] = {
    "2-5": _Kind("260628", range(4, 31), _TIERS[:3], (30, 10, 10), is_2_5=True),
    "2-0": _2_0,
    "2-0-fast": replace(_2_0, tiers=_TIERS[:2]),
    "2-0-mini": replace(_2_0, tiers=_TIERS[:2], date="260615"),
    "1-0-pro": _1_0,
    "1-0-pro-fast": replace(_1_0, has_last_frame=False, date="251015"),
}
_ACTIONS: Final = _KINDS["2-5"].actions
_RETIRED: Final = {  # with its date, and what the vendor names as the successor
    "1-5-pro": ("251215", "2-0-mini"),
    **dict.fromkeys(("1-0-lite-t2v", "1-0-lite-i2v"), ("250428", "1-0-pro-fast")),
}


def _id_of(name: str, *, is_china: bool) -> str:
    prefix = "doubao-" if is_china else "dreamina-" if name.startswith("2") else ""
    date = _KINDS[name].date if name in _KINDS else _RETIRED[name][0]
    return f"{prefix}seedance-{name}-{date}"


_NAMES: Final = {  # by the ids of both clouds
    _id_of(one, is_china=cloud): one for one in (*_KINDS, *_RETIRED) for cloud in (True, False)
}
_IDS: Final = {name: id_ for id_ in _NAMES for name in (id_, id_.rpartition("-")[0])}
"""By what clients write: with the date, or without."""


def _model(name: str, id_: str) -> ModelCapabilities:
    _, heir = _RETIRED.get(_NAMES[id_], ("", None))
    return ModelCapabilities(
        name=name,
        actions=_KINDS[heir or _NAMES[id_]].actions,
        successor=heir and _id_of(heir, is_china=id_.startswith("doubao-")),
        earliest=timedelta(seconds=60),
        usual=timedelta(minutes=5),
        link_lifetime=_LINK_LIFETIME,
    )


_MODELS: Final = {name: _model(name, id_) for name, id_ in _IDS.items()}

# Fields

_ECHOED: Final = {
    **dict.fromkeys(("resolution", "ratio", "duration", "frames", "seed", "generate_audio")),
    **dict.fromkeys(("execution_expires_after", "priority", "output_format")),
    "service_tier": "default",
    "draft": False,
    "safety_identifier": "",
}
"""What a job tells of its request, and what it means where it was not sent; `None` for anything."""
_SETTINGS: Final = ("watermark", "camera_fixed", "return_last_frame", "omni_reference_task_type")
_APART: Final = frozenset({"content", "draft_task_id", "callback_url"})  # written otherwise
_DOCUMENTED: Final = frozenset({*_ECHOED, *_SETTINGS, *_APART, "tools"})
_FOLDED: Final = fold(_DOCUMENTED)
_VOCABULARY: Final = Vocabulary(
    fields={
        Meaning.TIER: "resolution",
        Meaning.RATIO: "ratio",
        Meaning.SOUND: "generate_audio",
        Meaning.WATERMARK: "watermark",
    },
    values={Meaning.TIER: {tier: tier for tier in _TIERS}},
    documented=_DOCUMENTED,
    last_frame=("images", "content"),
    frame_action=Action.FIRST_LAST_FRAME.value,
)


def _items(content: Any) -> list[Mapping[str, Any]]:
    every = content if isinstance(content, list) else []
    return [item for item in every if isinstance(item, Mapping)]


def _count(content: Any) -> Counter[str]:
    """How many items there are of each kind; pictures by their role, which a frame may lack."""
    return Counter(
        str(item.get("role") or _FRAMES[0] if item.get("type") == "image_url" else item.get("type"))
        for item in _items(content)
    )


def _inner(body: Body, kind: str, name: str) -> list[str]:
    inner = [item.get(kind) for item in _items(body.get("content"))]
    return [str(one.get(name) if isinstance(one, Mapping) else one) for one in inner if one]


def _takes(what: str, holds: Callable[[Counter[str]], object]) -> Rule:
    says = f"The model {{model}} takes {what}."
    return Rule("content", lambda body: not holds(_count(body.get("content"))), says)


def _at_most(most: int, role: str) -> Rule:
    return _takes(
        f"at most {most} {_REFERENCES[role]} as references", lambda has: has[role] <= most
    )


_SUFFIX: Final = re.compile(r"(?<!\S)--[A-Za-z]\w*\s+\S")
_ALWAYS: Final = (
    Rule(
        "prompt",
        lambda body: any(map(_SUFFIX.search, _inner(body, "text", "text"))),
        "The provider reads --words in a prompt as parameters; send them as fields.",
    ),
    Rule(
        "content",
        lambda body: any(url[:5].lower() == "data:" for url in _inner(body, "video_url", "url")),
        "A video is taken by its URL alone.",
    ),
)
_KNOWN: Final = (
    *_ALWAYS,
    Rule(
        "resolution",
        lambda body: body.get("draft") is True and body.get("resolution") != "480p",
        "The model {model} makes drafts in 480p.",
        ("480p",),
    ),
    _takes(
        "frames or references, and not both",
        lambda has: not any(map(has.get, _FRAMES)) or not any(map(has.get, _REFERENCES)),
    ),
)
_LOOKED_AT: Final = _takes(
    "sounds beside a picture or a video only",
    lambda has: not has["audio_url"] or has["reference_image"] or has["video_url"],
)
_SHAPES: Final[Mapping[Action, Rule]] = {
    action: _takes(f"{what} here", holds)
    for action, what, holds in (
        (Action.TEXT, "a prompt", lambda has: has["text"] and len(has) == 1),
        (Action.FIRST_FRAME, "one picture", lambda has: [*map(has.get, _FRAMES)] == [1, None]),
        (Action.FIRST_LAST_FRAME, "two frames", lambda has: [*map(has.get, _FRAMES)] == [1, 1]),
        (Action.REFERENCES, "references", lambda has: any(map(has.get, _REFERENCES))),
        (Action.EDIT, "one video and a prompt", lambda has: has["text"] and has["video_url"] == 1),
        (Action.EXTEND, "videos and a prompt", lambda has: has["text"] and has["video_url"]),
        (Action.UPSCALE, "one draft", lambda has: has["draft_task"] == 1),
    )
}


def _form(kind: _Kind, action: Action) -> Form:
    takes, is_first, is_new = kind.actions[action], kind.is_first, action is not Action.UPSCALE
    lengths = (*(() if is_first else (-1,)), *filter(None, takes.durations))
    shapes = takes.ratios if is_first and action is Action.TEXT else (*takes.ratios, "adaptive")
    types = OneOf(("auto", *_TASK_TYPES.values()))

    def where(has_it: object, check: Check) -> Check:
        return check if has_it else Absent(otherwise=SWITCH if check is SWITCH else None)

    checks: dict[str, Check] = {
        "resolution": OneOf(takes.tiers),
        "ratio": where(is_new, OneOf(shapes)),
        "duration": where(is_new, OneOf(lengths)),
        "frames": where(is_first, OneOf(range(29, 290, 4))),
        "generate_audio": where(takes.sound, SWITCH),
        "watermark": SWITCH,
        "output_format": where(kind.is_2_5, OneOf(("mp4", "mov"))),
        "seed": where(is_new, Within(-1, 2**31 - 1)),
        "camera_fixed": where(is_first, SWITCH),
        "return_last_frame": SWITCH,
        "draft": where(kind.is_2_5 and is_new, SWITCH),
        "omni_reference_task_type": where(kind.is_2_5 and is_new, types),
        "service_tier": OneOf(("default", "flex") if is_first else ("default",)),
        "execution_expires_after": Within(3600, 259200),
        "priority": where(not is_first, Within(0, 9)),
    }
    if is_first or kind.is_2_5:
        checks["tools"] = Absent()
    most = [_at_most(*one) for one in zip(kind.references, _REFERENCES, strict=True)]
    return Form(checks, (*_KNOWN, _SHAPES[action], *most, *(() if kind.is_2_5 else (_LOOKED_AT,))))


FORMS: Final = {
    (id_, action.value): _form(_KINDS[name], action)
    for id_, name in _NAMES.items()
    if name in _KINDS
    for action in _KINDS[name].actions
}

# Translation


def _translate(request: VideoRequest, model: str) -> Translation:
    over = {name: one for name, one in request.metadata.items() if name not in _APART | OURS}
    refuse_misspelled(over, _FOLDED, whose="the provider spells it")
    retired, model = "" if model == request.model else request.model, _IDS.get(model, model)
    told = f"{model} (which runs in place of the retired {retired})" if retired else model
    draft = Draft(request, over, told)
    draft.adjust(f"model={model}" if retired else "")
    kind, action = _KINDS.get(_NAMES.get(model, "")), _choose(request)
    draft.names["content"] = "images" if request.images else "content"
    if kind and action not in kind.actions:
        name = "action" if request.metadata.get("action") else draft.names["content"]
        allowed = [*kind.actions] if name == "action" else []
        raise UnsupportedParameterError(name, f"{told} has no {action.value}.", allowed=allowed)
    draft.body = {"model": model, "content": _write_content(draft, action)}
    _write_settings(draft, kind, action)
    form, body = FORMS.get((model, action.value), Form(rules=_ALWAYS)), draft.finish()
    form.judge(body, told=told, names=draft.names)
    body = form.prune(body)
    if json_size(body) > _MAX_BODY_BYTES:
        raise UnsupportedParameterError("images", "One request may have at most 64 MB.")
    facts = _to_facts(body, action, has_sound=False if kind and kind.is_first else None)
    expiry = to_number(body.get("execution_expires_after")) or 172800  # the default
    deadline = timedelta(seconds=min(expiry, 259200), minutes=10)
    return Translation(
        endpoint=_TASKS,
        body=body,
        facts=facts,
        pace=replace(OFF_PEAK_PACE if facts.off_peak else _PACE, deadline=deadline),
        details={"action": action.value},
        ignored=draft.ignored,
        adjusted=tuple(draft.adjusted),
    )


def _given(request: VideoRequest) -> Any:
    """The items that the client wrote itself, the draft that it names among them."""
    content, draft_id = (request.metadata.get(name) for name in ("content", "draft_task_id"))
    if not draft_id or not isinstance(content, list | None):
        return content
    return [*(content or ()), {"type": "draft_task", "draft_task": {"id": draft_id}}]


def _choose(request: VideoRequest) -> Action:
    if action := wanted_action(request.metadata, _ACTIONS):
        return action
    has = _count(_given(request))
    frames = len(request.images) + sum(has[role] for role in _FRAMES)
    if has["draft_task"]:
        return Action.UPSCALE
    if frames < len(_BY_FRAMES) and not any(map(has.get, _REFERENCES)):
        return _BY_FRAMES[frames]
    asked = request.metadata.get("omni_reference_task_type")
    return next((one for one, word in _TASK_TYPES.items() if word == asked), Action.REFERENCES)


def _write_content(draft: Draft, action: Action) -> Any:
    """Put prompt and pictures before the items that the client wrote itself."""
    request, given = draft.request, _given(draft.request)
    if action is Action.UPSCALE or not isinstance(given, list | None):
        return given
    draft.use("prompt", "image")
    has, items = _count(given), list[Any]()
    if request.prompt and not has["text"]:
        items.append({"type": "text", "text": request.prompt})
    frames = _FRAMES[: _BY_FRAMES.index(action)] if action in _BY_FRAMES else ()
    roles = [role for role in frames if not has[role]]
    roles += ["reference_image"] * (len(request.images) - len(roles))
    for image, role in zip(request.images, roles, strict=False):
        url = {"url": write_picture(image, _PICTURES)}
        items.append({"type": "image_url", "image_url": url, "role": role})
    return [*items, *(given or ())]


def _write_settings(draft: Draft, kind: _Kind | None, action: Action) -> None:
    """Write what the client asks for, over the vendor's defaults; but for the length."""
    body, over, is_new = draft.body, draft.over, action is not Action.UPSCALE
    takes = kind.actions[action] if kind else replace(_ACTIONS[Action.TEXT], tiers=_TIERS)
    tiers = ("480p",) if is_new and over.get("draft") is True else takes.tiers
    if kind:
        body["resolution"] = kind.tier if kind.tier in tiers else tiers[-1]
    if kind and is_new:
        is_bare = kind.is_first and action is Action.TEXT
        body |= {"ratio": _RATIOS[0] if is_bare else "adaptive"}
        body |= {"generate_audio": True} if takes.sound else {}
    if is_new and not over.get("frames"):
        body["duration"] = -1 if action is Action.EDIT else 5
    body["watermark"] = False
    if over.get("service_tier") != "flex":
        body["execution_expires_after"] = _EXPIRY
    if kind and kind.is_2_5 and action in _TASK_TYPES:
        body["omni_reference_task_type"] = _TASK_TYPES[action]
    if over.get("frames"):
        draft.use("duration")
    elif takes.durations:
        draft.duration(allowed=takes.durations if kind else (), write=lambda seconds: seconds or -1)
    draft.fit_size(tiers, takes.ratios, ratio="ratio")
    if takes.seed:
        draft.seed()
    draft.user("safety_identifier", most=64)


def _to_facts(body: Body, action: Action, *, has_sound: bool | None) -> RunFacts:
    frames = to_number(body.get("frames"))
    seconds = frames / 24 if frames else to_number(body.get("duration"))
    tier, sound = body.get("resolution"), body.get("generate_audio", has_sound)
    service_tier, content = body.get("service_tier") or "default", body.get("content")
    entries = content if isinstance(content, list) else []
    return RunFacts(
        model=body["model"],
        duration_seconds=to_whole(seconds) if seconds and seconds > 0 else None,
        resolution=tier if isinstance(tier, str) else None,
        sound=sound if isinstance(sound, bool) else None,
        off_peak=service_tier == "flex",
        action=action,
        video_input=any(
            isinstance(one, dict) and one.get("type") == "video_url" for one in entries
        ),
        draft=body.get("draft") is True,
        service_tier=str(service_tier),
    )


# Answers

_CODES: Final = {
    "MissingParameter InvalidParameter InvalidImageURL OutofContextError": FaultKind.BAD_PARAMETER,
    "ModelNotOpen OperationDenied.ServiceNotOpen UnsupportedModel": FaultKind.MODEL_UNAVAILABLE,
    "InvalidEndpointOrModel": FaultKind.MODEL_UNAVAILABLE,
    "AuthenticationError InvalidAccountStatus InvalidSubscription": FaultKind.CREDENTIAL,
    "AccessDenied OperationDenied": FaultKind.CREDENTIAL,
    "AccountOverdueError OperationDenied.ServiceOverdue SetLimitExceeded": FaultKind.BALANCE,
    "RequestBurstTooFast InflightBatchsizeExceeded ServerOverloaded": FaultKind.RATE,
    "QuotaExceeded": FaultKind.CONCURRENCY,
    "InvalidEndpoint ContentSecurityDetectionError InternalServiceError": FaultKind.FAULT,
    "NotFound": FaultKind.NOT_FOUND,
}
_PARTS: Final = {  # of codes about content
    "PrivacyInformation": "The provider takes nothing that shows real people.",
    "DeepFake": "The provider takes no forged faces.",
    "PolicyViolation": "The provider takes nothing that others have the copyright of.",
    "OutputVideo": "The provider withheld the video because of its content policy.",
    "SensitiveContentDetected": "",
    "RiskDetection": "",
}
_SPENT: Final = re.compile(r"(?i)trial|free|hour|week|month|plan|免费|试用|小时|周|月|套餐")
_QUEUE: Final = re.compile(r"(?i)queue|排队|队列")

# The adapter


class Seedance(ListedJobs, FollowsUp, CallsBackUnsigned):
    """Jobs at one endpoint of either cloud."""

    name: ClassVar[str] = "seedance"
    whose_key: ClassVar[str] = "A key of Ark is the API key alone"
    capabilities: ClassVar[Capabilities] = Capabilities(
        title="Seedance",
        model_patterns=("doubao-seedance-*", "dreamina-seedance-*", "seedance-*"),
        base_url="https://ark.cn-beijing.volces.com",
        credential_form="API_KEY",
        api_prefix=("/api/v3",),
        models=_MODELS,
        object_fields=frozenset({"draft_task_id"}),
        prompt_fields=frozenset({"prompt", "content", "draft_task_id"}),
        example={
            "model": "doubao-seedance-2-5",
            "prompt": "The paper boat drifts to the left, rain starts.",
            "image": "https://media.example/boat.png",
            "size": "720p",
            "duration": 6,
            "metadata": {"generate_audio": False, "return_last_frame": True},
        },
        submit_timeout=timedelta(seconds=90),  # it may download pictures first
    )
    only_queued, page_size, page_interval = True, 500, timedelta(seconds=1)
    key_hint = "Each of the two clouds has keys of its own: check the key and the base URL."
    jobs_path, shortest_list = _TASKS, "page_size=1"
    waiting, working, done = "queued", "running", "succeeded"
    ended: ClassVar[Mapping[str, FaultKind]] = {
        "failed": FaultKind.FAULT,
        "cancelled": FaultKind.CANCELLED,
        "expired": FaultKind.EXPIRED,
    }
    codes: ClassVar = {code: kind for codes, kind in _CODES.items() for code in codes.split()}
    parts: ClassVar = {
        **{part: (FaultKind.CONTENT_POLICY, says) for part, says in _PARTS.items()},
        "RateLimitExceeded": (FaultKind.RATE, ""),
    }
    documented, echoed, left_open = _DOCUMENTED, _ECHOED, (None, -1, "adaptive")

    @override
    def family(self, model: str) -> tuple[str, ...]:
        id_ = _IDS.get(model)
        return (id_, id_.rpartition("-")[0]) if id_ else (model,)

    @override
    def follow_up(
        self, kind: FollowUp, source: TaskSnapshot, request: VideoRequest
    ) -> VideoRequest:
        action = Action.REFERENCES if kind is FollowUp.REMIX else Action(kind.value)
        _, result = video_of(source)
        made_by = source.upstream_model or ""
        model, known = source.model, _MODELS.get(made_by)
        if known is not None and action not in known.actions:
            model = _id_of("2-5", is_china=made_by.startswith("doubao-"))
        model = request.model or model
        takes = _MODELS[model].actions.get(action) if model in _MODELS else None
        longest = max(takes.durations, default=30) if takes else 30
        check_length(result, (4 if action is Action.EDIT else 2, longest), "The provider takes")
        video = {"type": "video_url", "video_url": {"url": result.url}, "role": "reference_video"}
        content = [*_items(request.metadata.get("content")), video]
        metadata = {**request.metadata, "action": action.value, "content": content}
        request = replace(request, model=model, metadata=metadata)
        if takes is None or kind is not FollowUp.REMIX:
            return request
        return like(source, result, request, takes, ratio_field="ratio")

    @override
    def translate(self, request: VideoRequest) -> Translation:
        model = self.live_model(request.model)
        return translate_words(request, _VOCABULARY, lambda heard: _translate(heard, model))

    @override
    def read_fault(self, answer: Answer) -> Fault | None:
        fault = super().read_fault(answer)
        if fault is None or fault.kind is not FaultKind.CONCURRENCY or _QUEUE.search(fault.message):
            return fault
        return replace(fault, kind=FaultKind.BALANCE) if _SPENT.search(fault.message) else fault

    @override
    def link_in(self, body: Mapping[str, Any]) -> Any:
        content = body.get("content")
        return content.get("video_url") if isinstance(content, Mapping) else None

    @override
    def read_result(self, body: Mapping[str, Any], url: str, now: datetime) -> VideoResult:
        usage, job_id = body.get("usage"), body.get("id")
        tokens = to_seed(usage.get("completion_tokens")) if isinstance(usage, Mapping) else None
        return VideoResult(
            url=url,
            cover_url=to_url(body["content"].get("last_frame_url")),
            expires_at=link_ends_at(url)
            or (to_time(body.get("updated_at")) or now) + _LINK_LIFETIME,
            duration_seconds=to_measure(body.get("duration")),
            fps=to_measure(body.get("framespersecond")),
            seed=to_seed(body.get("seed")),
            cost=str(tokens) if tokens and tokens > 0 else None,
            cost_unit="tokens" if tokens and tokens > 0 else None,
            upstream_id=job_id if isinstance(job_id, str) else None,
        )

    @override
    def list_query(self, lost: LostSubmit, page: int) -> Mapping[str, str]:
        query = {"page_num": str(page), "page_size": str(self.page_size)}
        facts = lost.translation and lost.translation.facts
        query |= {"filter.model": facts.model} if facts else {}
        return query | ({"filter.service_tier": "flex"} if facts and facts.off_peak else {})

    @override
    def is_made_of(self, job: Mapping[str, Any], sent: Translation) -> bool:
        draft_id = next(iter(_inner(sent.body, "draft_task", "id")), None)
        return job.get("draft_task_id") == draft_id and super().is_made_of(job, sent)

    @override
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        result, error, facts = task.result, task.error, task.facts
        answer: dict[str, Any] = {
            "id": task.public_id,
            "model": task.model,
            "status": "running" if task.status is TaskStatus.IN_PROGRESS else task.status.value,
            "error": {"code": error.code, "message": error.message} if error else None,
            "created_at": int(task.created_at.timestamp()),
            "updated_at": int((task.finished_at or task.created_at).timestamp()),
            "resolution": facts.get("resolution"),
            "duration": facts.get("duration_seconds"),
            "generate_audio": facts.get("sound"),
        }
        if result is not None:
            still = {"last_frame_url": result.cover_url} if result.cover_url else {}
            answer |= {"content": {"video_url": result.url, **still}, "seed": result.seed}
            answer |= {"duration": result.duration_seconds, "framespersecond": result.fps}
        if result is not None and result.cost:
            tokens = int(result.cost)
            answer["usage"] = {"completion_tokens": tokens, "total_tokens": tokens}
        return answer
