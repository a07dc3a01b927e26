"""Which models a client is shown: those that are served and permitted, and no others."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.api import open_api
from tests.support.engine import Engine
from tests.support.gateway import open_client

from vidgate.models.channels import Channel
from vidgate.models.ids import new_id
from vidgate.providers.base import Action, ActionCapabilities, ModelCapabilities
from vidgate.providers.kling import Kling
from vidgate.providers.openai_compatible import OpenAICompatible
from vidgate.providers.vidu import Vidu
from vidgate.services.channels.catalogue import ModelOffer, list_models

TEXT = ActionCapabilities(
    endpoint="/v1/text",
    durations=(5, 10),
    tiers=("720p", "1080p"),
    ratios=("16:9",),
    prompt_characters=100,
    sound=True,
    negative_prompt=True,
)
FRAME = ActionCapabilities(endpoint="/v1/image", durations=(5,), images=(1, 2), seed=True)
LIVE = ModelCapabilities(
    name="kling-live",
    actions={Action.TEXT: TEXT, Action.FIRST_FRAME: FRAME},
    earliest=timedelta(seconds=30),
    usual=timedelta(minutes=2),
    link_lifetime=timedelta(days=30),
)
OLD = ModelCapabilities(name="kling-old", actions={Action.TEXT: TEXT}, successor="kling-live")


class SmallKling(Kling):
    capabilities = replace(Kling.capabilities, models={"kling-live": LIVE, "kling-old": OLD})


class SmallVidu(Vidu):
    capabilities = replace(
        Vidu.capabilities, models={"vidu-one": ModelCapabilities(name="vidu-one")}
    )


def providers(*, map_retired_models: bool = True) -> dict[str, Any]:
    return {
        "kling": SmallKling(map_retired_models=map_retired_models),
        "vidu": SmallVidu(map_retired_models=map_retired_models),
        "openai_compatible": OpenAICompatible(map_retired_models=map_retired_models),
    }


def channel(name: str = "main", provider: str = "kling", **members: Any) -> Channel:
    return Channel(
        id=new_id(),
        name=name,
        provider=provider,
        base_url="http://x",
        credential_id=new_id(),
        **members,
    )


def served(*channels: Channel, map_retired_models: bool = True) -> dict[str, ModelOffer]:
    known = providers(map_retired_models=map_retired_models)
    return {offer.name: offer for offer in list_models(channels, known) if offer.channels}


def test_without_channels_every_known_model_is_listed_and_none_served() -> None:
    listed = list_models((), providers())

    assert [offer.name for offer in listed] == ["kling-live", "kling-old", "vidu-one"]
    assert all(not offer.channels for offer in listed)


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({}, {"kling-live", "kling-old"}),
        ({"models": ("kling-l*",)}, {"kling-live"}),
        ({"models": ("*-old", "my-model")}, {"kling-old", "my-model"}),
        ({"models": ("kling-[x]",), "model_map": {"mine": "kling-live"}}, {"mine"}),
        ({"model_map": {"sora": "kling-live"}}, {"kling-live", "kling-old", "sora"}),
        ({"models": ("kling-live", "kling-*")}, {"kling-live", "kling-old"}),
        ({"enabled": False}, set()),
        ({"removed": True}, set()),
        ({"provider": "of-a-newer-version"}, set()),
    ],
)
def test_a_channel_serves_what_its_patterns_and_its_mapping_say(
    members: dict[str, Any], names: set[str]
) -> None:
    assert set(served(channel(**members))) == names


def test_a_mapped_model_takes_what_its_target_takes() -> None:
    offer = served(channel(model_map={"mine": "kling-live"}))["mine"]

    assert offer.provider == "kling"
    assert offer.capabilities is not None
    assert (offer.capabilities.name, offer.capabilities.actions) == ("mine", LIVE.actions)


def test_a_model_that_nobody_knows_is_offered_without_claims() -> None:
    assert served(channel(models=("kling-next",)))["kling-next"].capabilities is None


def test_of_several_channels_the_first_by_priority_says_whose_it_is() -> None:
    offer = served(
        channel("low", models=("m",)),
        channel("high", provider="vidu", models=("m",), priority=5),
    )["m"]

    assert offer.provider == "vidu"
    assert [one.name for one in offer.channels] == ["high", "low"]


def test_a_retired_model_runs_unless_it_is_not_to_be_mapped() -> None:
    assert served(channel())["kling-old"].is_runnable
    assert not served(channel(), map_retired_models=False)["kling-old"].is_runnable


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (("kling-*",), {"kling-live", "kling-old"}),
        (("*",), {"kling-live", "kling-old", "vidu-one"}),
        (("kling-l*", "clip-1", "film-?"), {"kling-live", "clip-1"}),
        (("film-*",), set()),
    ],
)
def test_the_patterns_of_a_format_stand_for_the_models_of_vendors(
    models: tuple[str, ...], names: set[str]
) -> None:
    offers = served(channel(provider="openai_compatible", models=models))

    assert set(offers) == names
    assert {offer.provider for offer in offers.values()} <= {"openai_compatible"}
    if "kling-live" in names:
        assert offers["kling-live"].capabilities == LIVE


def test_a_vendor_has_no_models_of_another_s() -> None:
    assert set(served(channel(models=("*",)))) == {"kling-live", "kling-old"}


def test_a_retired_model_behind_a_format_is_one_too() -> None:
    offers = served(
        channel(provider="openai_compatible", models=("kling-*",)), map_retired_models=False
    )

    assert (offers["kling-live"].is_runnable, offers["kling-old"].is_runnable) == (True, False)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    known: Any = engine.operator.providers
    known |= providers()
    async with open_client(engine) as client:
        yield client


async def names(client: httpx.AsyncClient, key: str | None = None) -> list[str]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    listed = (await client.get("/v1/models", headers=headers)).json()
    assert listed["object"] == "list"
    return [model["id"] for model in listed["data"]]


async def test_the_list_follows_the_channels(engine: Engine, client: httpx.AsyncClient) -> None:
    assert await names(client) == []
    await engine.channel("kling")
    assert await names(client) == ["kling-live", "kling-old"]
    await engine.channel("vidu", model_map={"alias": "vidu-one"})
    assert await names(client) == ["alias", "kling-live", "kling-old", "vidu-one"]
    await engine.operator.provisioning.set_enabled("kling", enabled=False)
    await engine.services.directory.load()
    assert await names(client) == ["alias", "vidu-one"]


async def test_a_token_sees_what_it_may_ask_for(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    await engine.channel("vidu")
    _, key = await engine.operator.provisioning.create_token(name="narrow", models=("vidu*",))

    assert await names(client, key) == ["vidu-one"]
    headers = {"Authorization": f"Bearer {key}"}
    allowed = await client.get("/v1/models/vidu-one", headers=headers)
    hidden = await client.get("/v1/models/kling-live", headers=headers)
    assert (allowed.status_code, hidden.status_code) == (200, 404)


async def test_a_model_says_what_it_takes(engine: Engine, client: httpx.AsyncClient) -> None:
    made = await engine.channel("kling")
    assert made.created_at is not None

    model = (await client.get("/v1/models/kling-live")).json()
    [listed, old] = (await client.get("/v1/models")).json()["data"]

    assert model == listed
    assert model == {
        "id": "kling-live",
        "object": "model",
        "created": int(made.created_at.timestamp()),
        "owned_by": "kling",
        "provider": "kling",
        "actions": {
            "text": {
                "durations": [5, 10],
                "tiers": ["720p", "1080p"],
                "ratios": ["16:9"],
                "images": {"least": 0, "most": 0},
                "prompt_characters": 100,
                "sound": True,
                "seed": False,
                "negative_prompt": True,
            },
            "first_frame": {
                "durations": [5],
                "tiers": [],
                "ratios": [],
                "images": {"least": 1, "most": 2},
                "prompt_characters": None,
                "sound": False,
                "seed": True,
                "negative_prompt": False,
            },
        },
        "retired": False,
        "successor": None,
        "earliest_seconds": 30,
        "usual_seconds": 120,
        "link_lifetime_seconds": 2592000,
    }
    assert (old["retired"], old["successor"]) == (True, "kling-live")


async def test_a_model_that_is_not_there_is_not_found(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    for name in ("sora-9", "unheard-of", "vidu-one", "x" * 500, "a%2Fb"):
        answer = await client.get(f"/v1/models/{name}")
        told = answer.json()
        assert (answer.status_code, told["code"]) == (404, "model_not_found"), name
        assert told["param"] == "model"


async def test_whatever_a_channel_serves_can_be_read(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    made = await engine.channel("openai_compatible", models=("kling-*", "film-*"))
    assert made.created_at is not None
    _, key = await engine.operator.provisioning.create_token(name="narrow", models=("kling-*",))
    narrow = {"Authorization": f"Bearer {key}"}

    known = await client.get("/v1/models/kling-live")
    unknown = await client.get("/v1/models/film-9")

    assert await names(client) == ["kling-live", "kling-old"]
    assert (known.status_code, unknown.status_code) == (200, 200)
    assert set(known.json()["actions"]) == {"text", "first_frame"}
    told = unknown.json()
    assert (told["id"], told["owned_by"], told["actions"]) == ("film-9", "openai_compatible", {})
    assert told["created"] == int(made.created_at.timestamp())
    assert (await client.get("/v1/models/film-9", headers=narrow)).status_code == 404
    assert (await client.get("/v1/models/kling-next", headers=narrow)).status_code == 200
    assert (await client.get("/v1/models/clip-1")).status_code == 404
    await engine.operator.provisioning.set_enabled("openai_compatible", enabled=False)
    await engine.services.directory.load()
    for name in ("kling-live", "film-9"):
        assert (await client.get(f"/v1/models/{name}")).status_code == 404


async def test_a_retired_model_that_may_not_run_cannot_be_read(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    known: Any = engine.operator.providers
    known |= providers(map_retired_models=False)
    await engine.channel("kling")

    assert await names(client) == ["kling-live"]
    assert (await client.get("/v1/models/kling-old")).status_code == 404


async def test_the_models_need_a_token(client: httpx.AsyncClient) -> None:
    for path in ("/v1/models", "/v1/models/kling-live", "/v1/models/"):
        answer = await client.get(path, headers={"Authorization": ""})
        assert answer.status_code == 401
    assert (await client.post("/v1/models")).status_code == 405
    assert (await client.head("/v1/models")).status_code == 200


async def test_every_provider_s_models_can_be_shown(engine: Engine) -> None:
    offers = list_models([], engine.operator.providers)

    assert {offer.provider for offer in offers} == {
        name for name, one in engine.operator.providers.items() if one.capabilities.models
    }
    assert all(offer.capabilities for offer in offers)


async def test_the_models_are_documented() -> None:
    async with open_api() as api:
        described = (await api.client.get("/openapi.json")).json()
    for path, statuses in (("/v1/models", {"200", "401"}), ("/v1/models/{model}", {"404"})):
        operation = described["paths"][path]["get"]
        assert operation["security"]
        assert statuses <= set(operation["responses"])
        answers = [one["content"]["application/json"] for one in operation["responses"].values()]
        assert all("example" in answer for answer in answers)
        assert "422" not in operation["responses"]
