"""The seam every provider's adapter fills: a translator without I/O."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic, Self, TypeVar

import httpx
from pydantic import SecretStr
from typing_extensions import override

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, Outcome, Rejected, Submission, UpstreamRef, VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot

__all__ = [
    "CLIP_PACE",
    "LARGE_PACE",
    "LONG_PACE",
    "OFF_PEAK_PACE",
    "Action",
    "ActionCapabilities",
    "AnswersDirectly",
    "Call",
    "Callback",
    "CallsBack",
    "CallsBackUnsigned",
    "CancelAnswer",
    "Cancels",
    "Capabilities",
    "Finds",
    "FollowsUp",
    "LostSubmit",
    "ModelCapabilities",
    "Pace",
    "ProbeAnswer",
    "Provider",
    "RunFacts",
    "ServesContent",
    "SubmitIds",
    "Tests",
    "Translation",
]

T_co = TypeVar("T_co", covariant=True)


class Action(StrEnum):
    """What a request carries decides what is done with it."""

    TEXT = "text"
    FIRST_FRAME = "first_frame"
    FIRST_LAST_FRAME = "first_last_frame"
    REFERENCES = "references"
    KEY_FRAMES = "key_frames"
    CAMERA = "camera"
    """A camera move by template."""
    MOTION = "motion"
    """A picture driven by the movement of a video."""
    AVATAR = "avatar"
    """A picture that speaks."""
    LIP_SYNC = "lip_sync"
    EFFECT = "effect"
    """A named template or effect."""
    EDIT = "edit"
    EXTEND = "extend"
    UPSCALE = "upscale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How soon and how often to ask about a job. Every span is multiplied by `POLL_PACE`.

    Attributes:
        first_ask: After the submit; near the earliest finish ever seen.
        interval: Between the next asks.
        growth: What each interval is multiplied by to give the following one.
        max_interval: Where the growth ends.
        deadline: After the submit; then it is polled a last time and given up. Not scaled.
    """

    first_ask: timedelta
    interval: timedelta = timedelta(seconds=5)
    growth: float = 1.15
    max_interval: timedelta = timedelta(seconds=15)
    deadline: timedelta


CLIP_PACE = Pace(first_ask=timedelta(seconds=20), deadline=timedelta(minutes=30))
"""For clips that take from half a minute to several. 5 s growing to 15 s is what integrators of
all providers ask with."""

LARGE_PACE = Pace(first_ask=timedelta(seconds=30), deadline=timedelta(minutes=60))
"""For what takes longer, such as 2K and more."""

LONG_PACE = Pace(first_ask=timedelta(seconds=30), deadline=timedelta(hours=3))
"""For what may be minutes of video, or made by nobody knows what."""

OFF_PEAK_PACE = Pace(
    first_ask=timedelta(seconds=60),
    interval=timedelta(seconds=60),
    max_interval=timedelta(seconds=300),
    deadline=timedelta(hours=49),
)
"""For a slow and cheap queue that gives up after 48 h, as Vidu's does; one more to see that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCapabilities:
    """What one model takes for one action.

    Attributes:
        endpoint: Path below the base URL, or the provider's own name of the action.
        durations: Whole seconds; empty means that the endpoint has no duration.
        tiers: Such as `720p`, lowest first; empty means that there is one and no choice.
        ratios: Such as `16:9`; empty means that the pictures give the shape.
        images: The fewest and the most pictures.
        prompt_characters: The longest prompt, `None` where no limit is known.
        sound: Whether it can make sound.
        seed: Whether it takes a seed.
        negative_prompt: Whether it takes one.
    """

    endpoint: str
    durations: tuple[int, ...] = ()
    tiers: tuple[str, ...] = ()
    ratios: tuple[str, ...] = ()
    images: tuple[int, int] = (0, 0)
    prompt_characters: int | None = None
    sound: bool = False
    seed: bool = False
    negative_prompt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCapabilities:
    """What one model takes, as data.

    Attributes:
        name: As a client writes it.
        successor: What runs instead where the provider retired it, `None` while it lives.
        earliest: After which the first job was ever seen finished, `None` where unknown.
        usual: After which most are.
        link_lifetime: How long a result's URL works, `None` where unknown.
    """

    name: str
    actions: Mapping[Action, ActionCapabilities] = field(default_factory=dict)
    successor: str | None = None
    earliest: timedelta | None = None
    usual: timedelta | None = None
    link_lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider offers, as data.

    Attributes:
        title: Its name for people, such as `Kling`.
        model_patterns: Which models a channel without a list of its own serves.
        base_url: The default, without the API prefix.
        api_prefix: How a base URL ends that an operator copied with the API prefix, such as `/v1`;
            it is refused.
        credential_form: What an operator has to give, in words, such as `ACCESS|SECRET`.
        models: Those we know, by name; others are passed on and the provider judges.
        object_fields: Vendor fields, anywhere in `metadata`, whose text names a video that was made
            before, such as `video_creation_id`. Where a client names one of its own videos, the
            provider's id (`VideoResult.upstream_id`) takes its place before `translate`, and the
            request goes to the channel that made it.
        prompt_fields: Vendor fields that stand for words or pictures: a request with one of them
            needs no prompt, and the adapter or the vendor says whether something is missing.
        echo_fields: Vendor fields that the client gets back as it sent them, while the vendor gets
            ours in their place, such as `external_task_id`: the name of each, and how many
            characters of text it may have, `None` for as many as a body has room for.
        own_fields_in: Vendor fields that are objects, where the client may write `callback_url` and
            the `echo_fields` as well, such as `options`.
        example: A request in the new-api dialect that shows what is special about the provider, for
            the documentation and the demo, which runs it against the sandbox's stand-in; `None`
            where there is nothing to show.
        submit_timeout: The total deadline of a submit with a small body.
        poll_timeout: The total deadline of a poll or a find.
    """

    title: str
    model_patterns: tuple[str, ...]
    base_url: str
    credential_form: str
    api_prefix: tuple[str, ...] = ()
    models: Mapping[str, ModelCapabilities] = field(default_factory=dict)
    object_fields: frozenset[str] = frozenset()
    prompt_fields: frozenset[str] = frozenset({"prompt"})
    echo_fields: Mapping[str, int | None] = field(default_factory=dict)
    own_fields_in: tuple[str, ...] = ()
    example: Mapping[str, Any] | None = None
    submit_timeout: timedelta = timedelta(seconds=60)
    poll_timeout: timedelta = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is really run, after `metadata` was laid over: what a price depends on.

    Attributes:
        model: The provider's name of it.
        duration_seconds: `None` where the endpoint decides.
        resolution: A tier such as `1080p`, `None` where unknown.
        mode: The provider's own word, such as `pro`, `None` where it has none.
        sound: `None` where unknown.
        off_peak: Whether it runs in the provider's slow, cheap queue.
        action: What is done, `None` where unknown.
        voice: Whether a voice is chosen that costs extra, `None` where unknown.
        video_input: Whether a video goes in, `None` where unknown.
        recommended_prompt: Whether the provider writes the prompt, `None` where unknown.
        draft: Whether it is a cheap preview, `None` where unknown.
        service_tier: The provider's own word for how soon it runs, `None` where it has none.
        width: In pixels, `None` where unknown.
        height: Likewise.
    """

    model: str
    duration_seconds: float | None = None
    resolution: str | None = None
    mode: str | None = None
    sound: bool | None = None
    off_peak: bool = False
    action: Action | None = None
    voice: bool | None = None
    video_input: bool | None = None
    recommended_prompt: bool | None = None
    draft: bool | None = None
    service_tier: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A request in the provider's words, before our ids and the signature.

    Attributes:
        endpoint: Path below the base URL with its leading slash, or the provider's own name.
        body: The JSON to send; `metadata` is already laid over it.
        facts: What is run.
        pace: How to follow it.
        details: What the client reads in `metadata` beside `upstream_model`, such as the mode.
        ignored: Generic fields the model has no use for, by the client's names.
        adjusted: What was taken to the nearest possible value, as `size=1:1@720p`.
        unknown: Vendor fields that pass to the vendor and stand in none of its documentation, by
            the client's names.
        callback: Whether the endpoint takes a callback address, where its provider calls back.
        names: What the client calls fields of the body, where that is not the vendor's name.
    """

    endpoint: str
    body: dict[str, Any]
    facts: RunFacts
    pace: Pace
    details: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    callback: bool = True
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitIds:
    """The ids of ours that a submit carries.

    Attributes:
        correlation: Unique for the attempt, at most 32 characters of `a-z 0-9 _`; by it the
            provider is asked what became of a submit without an answer. An attempt that repeats an
            unclear one takes its over.
        callback_url: Where the provider may call us, `None` to be polled only.
    """

    correlation: str
    callback_url: str | None = None


class CancelAnswer(StrEnum):
    """What a provider says to a cancellation."""

    ACCEPTED = "accepted"
    """The job ends; the next poll tells how."""
    TOO_LATE = "too_late"
    """It runs on, or is finished already."""
    UNKNOWN = "unknown"
    """The provider has no such job."""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """Whether a channel works, in one sentence for its operator."""

    works: bool
    sentence: str

    @classmethod
    def good(cls, sentence: str) -> Self:
        """It works."""
        return cls(works=True, sentence=sentence)

    @classmethod
    def bad(cls, sentence: str) -> Self:
        """It does not."""
        return cls(works=False, sentence=sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a provider sent to the address we gave it.

    Attributes:
        url: The address as we gave it.
        headers: Names in lower case.
        received_at: For signatures that grow old.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSubmit:
    """A submit that got no answer.

    Attributes:
        endpoint: `Translation.endpoint` of it.
        ids: Those that it carried.
        sent_at: When it was sent.
        ends_at: When its own deadline was over; it arrived before, or never.
        translation: What was sent, `None` if nobody knows that any more.
    """

    endpoint: str
    ids: SubmitIds
    sent_at: datetime
    ends_at: datetime
    translation: Translation | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One question to a provider: the request, and how to read its answer.

    Attributes:
        request: Signed and ready to send.
        read: Makes of the answer what was asked for, or the call that has to follow: then this one
            was only the first step. It raises `ProviderProtocolError` where the answer does not
            say.
    """

    request: httpx.Request
    read: "Callable[[httpx.Response], T_co | Call[T_co]]"


class Provider(ABC):
    """A kind of upstream: calls out, outcomes in.

    An adapter has no client, no clock and no randomness of its own, and never reads the
    environment. It is made once and shared by all channels of its kind. What not every provider
    can do is a class of its own below (`Finds`, `Cancels`, ...): an adapter that can derives from
    it, and `isinstance` asks.

    Args:
        map_retired_models: Whether a model that the provider retired runs as its successor;
            otherwise it is an error that names the successor.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def __init__(self, *, map_retired_models: bool = True) -> None:
        self.map_retired_models = map_retired_models

    # Models

    def effective_model(self, request: VideoRequest) -> str:
        """The model that will run, where a vendor field other than a model name chooses it.

        Raises:
            UnsupportedParameterError: That field names a model of another family.
        """
        return request.model

    def live_model(self, model: str) -> str:
        """The model that runs: of one that the provider retired, its successor.

        Raises:
            UnsupportedParameterError: It is retired, and not to be run as another.
        """
        known = self.capabilities.models.get(model)
        if known is None or known.successor is None:
            return model
        if not self.map_retired_models:
            says = f"{self.capabilities.title} has retired {model}."
            raise UnsupportedParameterError("model", says, allowed=(known.successor,))
        return known.successor

    def family(self, model: str) -> tuple[str, ...]:
        """The models whose permission covers this one, itself included."""
        return (model,)

    def check_credential(self, credential: str) -> None:  # noqa: B027 - any form may be right
        """Refuse a key that cannot be in the provider's form, before it is stored.

        Raises:
            ConfigurationError: It says what form is expected, never what was given.
        """

    # Submitting

    @abstractmethod
    def translate(self, request: VideoRequest) -> Translation:
        """Put a request in the provider's words.

        Pictures that are bytes are encoded here, which takes time: call it in a thread for
        anything large. `request.model` is what the channel's mapping made of the client's model.

        Raises:
            UnsupportedParameterError: A generic field, or a vendor field in `metadata`, has a value
                that the model, which we know, is known not to take. Vendor fields we have never
                heard of, and every value of an unknown model, are passed on: the provider judges.
        """

    @abstractmethod
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        """Make the job.

        The answer is `Rejected` only where it is certain that no job exists. Where it says that
        nobody can tell (HTML, truncated JSON, a 5xx after which the provider may have made the job
        all the same), reading it raises `ProviderProtocolError`. A step before the last makes no
        job.

        Raises:
            ConfigurationError: The credential cannot be used for this endpoint.
        """

    # Polling

    def batch_size(self, ref: UpstreamRef) -> int:  # noqa: ARG002 - for those who need it
        """How many refs of the same kind one poll may ask for."""
        return 1

    @abstractmethod
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        """Ask about jobs that share one kind, at most `batch_size` of them.

        A ref missing from the answer and a status word we do not know are `Unreadable`. Where we
        could not ask (429, 5xx, a refused credential, HTML, truncated JSON, garbage), reading the
        answer raises `ProviderProtocolError`.
        """

    # Vendor-shaped answers

    @abstractmethod
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        """Write a task as the provider's own query would answer it, with our ids for its."""


class FollowsUp(ABC):
    """It can make something of a finished video."""

    @abstractmethod
    def follow_up(
        self, kind: FollowUp, source: TaskSnapshot, request: VideoRequest
    ) -> VideoRequest:
        """Make of "do this with that video" a request like any other.

        Args:
            kind: What to do.
            source: The task that made the video; it has succeeded.
            request: What the client asks for: its prompt, and whatever else it sent; `model` is
                empty where it named none.

        Returns:
            The request to run. It names the video by our id of it, `<public id>_<position>`, in
            one of `capabilities.object_fields`, or by its URL, as the endpoint demands.

        Raises:
            UnsupportedParameterError: Nothing like it is offered for that video.
        """


class Finds(ABC):
    """It can be asked what became of a submit without an answer.

    Attributes:
        proves_absence: Whether it knows jobs by an id of ours, so that what it does not find was
            never made. Otherwise `Found.candidates` tells which jobs may be the one: a single one
            that is no other attempt's is taken up, and nothing is ever submitted again for none.
        page_interval: How long to wait before the next page is asked for, where the provider takes
            no more than so many calls a second; nothing where pages may follow at once.
    """

    proves_absence: ClassVar[bool] = True
    page_interval: ClassVar[timedelta] = timedelta()

    @abstractmethod
    def find(
        self, lost: LostSubmit, channel: ChannelAccess, now: datetime, *, page: Any = None
    ) -> Call[Found]:
        """Ask what became of a submit.

        Args:
            lost: What is looked for.
            channel: The attempt's own.
            now: The time to sign with.
            page: `Found.next_page` of the answer before, `None` for the first.
        """


class Cancels(ABC):
    """It can cancel a job.

    Attributes:
        only_queued: Whether a cancellation is safe only while the job waits, as where the same call
            destroys what a finished one has made. Then the job is asked about first.
    """

    only_queued: ClassVar[bool] = False

    @abstractmethod
    def cancel(self, ref: UpstreamRef, channel: ChannelAccess, now: datetime) -> Call[CancelAnswer]:
        """Cancel a job. Where the answer does not say, the next poll tells."""


class Tests(ABC):
    """A credential can be checked without making a job."""

    __test__ = False  # a test module that imports it has no test of this name

    @abstractmethod
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        """Ask the cheapest question there is that needs the credential.

        Raises:
            ConfigurationError: The credential cannot be in the provider's form.
        """


class CallsBack(ABC):
    """It calls back when a job's state changes."""

    @abstractmethod
    def check_callback(
        self, callback: Callback, channel: ChannelAccess, secret: SecretStr | None
    ) -> None:
        """Check a callback's signature, where there is one to check. Its body is never trusted.

        Args:
            callback: As it came.
            channel: The attempt's own.
            secret: The one the provider signs with, where that is not the credential; `None` where
                the operator gave none.

        Raises:
            CallbackRefusedError: It is signed wrongly, too old, or not signed where it must be.
        """


class CallsBackUnsigned(CallsBack):
    """It signs no callback. The address of each cannot be guessed, and its body is not believed."""

    @override
    def check_callback(
        self, callback: Callback, channel: ChannelAccess, secret: SecretStr | None
    ) -> None:
        """Check nothing: there is no signature."""


class AnswersDirectly(ABC):
    """It has calls that are answered at once and make no job, as before a lip-sync.

    Attributes:
        direct_calls: The name of each, and the model whose channels and permission it needs.
        session_fields: Fields, anywhere in a body or an answer, whose text names what such a call
            opened, such as `session_id`. Clients know it by a name of ours, and a request with that
            name goes to the channel that opened it.
    """

    direct_calls: ClassVar[Mapping[str, str]]
    session_fields: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def ask(
        self, name: str, body: Mapping[str, Any], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[str, Any] | Rejected]:
        """Ask for what is answered at once: the vendor's own data, as it came.

        Args:
            name: One of `direct_calls`.
            body: The vendor's own, with the vendor's names of sessions and videos.
            channel: Where it goes.
            now: The time to sign with.

        Raises:
            ConfigurationError: The credential cannot be used for it.
        """


class ServesContent(ABC):
    """Its channel's credential opens videos that nobody else can open, or reach."""

    @abstractmethod
    def content(
        self, ref: UpstreamRef | None, result: VideoResult, channel: ChannelAccess, now: datetime
    ) -> httpx.Request | None:
        """Write the request that downloads a job's video with the credential.

        Args:
            ref: The job, `None` where nobody knows it any more.
            result: Its video; where it is `protected` its URL answers to nobody else.
            channel: Of the attempt that made it.
            now: The time to sign with.

        Returns:
            `None` where there is no other way to it than the public URL.

        Raises:
            ConfigurationError: The credential cannot be used.
        """
