"""Which channel a request goes to, and who may ask for what."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.exceptions import ModelNotFoundError, NoChannelError, PermissionDeniedError
from vidgate.models.accounts import Caller
from vidgate.services.channels.routing import Router


def router(engine: Engine, seed: int = 1) -> Router:
    return Router(
        directory=engine.services.directory,
        providers=engine.services.providers,
        is_spent=lambda _: False,
        randomness=random.Random(seed),  # noqa: S311 - repeatable
    )


async def names(engine: Engine, model: str, seed: int = 1) -> list[str]:
    return [
        channel.name
        for channel in await router(engine, seed).candidates(engine.caller.token, model)
    ]


async def permitted(engine: Engine, *models: str, **options: Any) -> None:
    """Give the caller a token for these models."""
    _, key = await engine.operator.provisioning.create_token(name="some", models=models, **options)
    caller = await engine.services.directory.authenticate(key)
    assert caller is not None
    engine.caller = caller


async def test_a_model_goes_to_its_provider_by_prefix(engine: Engine) -> None:
    for name in MODELS:
        await engine.channel(name)

    routes = {name: await names(engine, model) for name, model in MODELS.items()}

    assert routes == {name: [name] for name in MODELS}


async def test_a_list_of_patterns_replaces_the_prefix(engine: Engine) -> None:
    await engine.channel("kling", "some", models=("kling-v2-*", "special"))

    assert await names(engine, "kling-v2-6") == ["some"]
    assert await names(engine, "special") == ["some"]
    with pytest.raises(NoChannelError, match="kling-v3"):
        await names(engine, "kling-v3")


async def test_a_mapping_adds_a_model(engine: Engine) -> None:
    await engine.channel("kling", model_map={"boats": "kling-v2-6"})
    fake = Upstream(engine.router, "kling")

    created = await engine.create("boats")

    assert created.snapshot.model == "boats"
    assert created.snapshot.upstream_model == "kling-v2-6"
    assert b'"model_name":"kling-v2-6"' in fake.submits[0].content


@pytest.mark.parametrize("model", ["sora-9", "", "kling", "KLING-V2-6", "xkling-v2-6", "*", "["])
async def test_a_model_that_nobody_knows_is_not_found(engine: Engine, model: str) -> None:
    await engine.channel("kling", models=("kling-*",), model_map={"boats": "kling-v2-6"})

    error = await engine.refused(model)

    assert isinstance(error, ModelNotFoundError)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert await engine.all_tasks() == []


async def test_a_model_without_a_channel_is_unavailable(engine: Engine) -> None:
    await engine.channel("vidu", model_map={"boats": "viduq3-turbo"})

    error = await engine.refused("kling-v2-6")

    assert isinstance(error, NoChannelError)
    assert error.status == 503
    assert not error.upstream_called
    assert "kling-v2-6" in error.message
    assert await engine.all_tasks() == []


async def test_a_disabled_channel_is_not_used(engine: Engine) -> None:
    await engine.channel("kling", models=("special",))
    await engine.operator.provisioning.set_enabled("kling", enabled=False)
    await engine.services.directory.load()

    assert (await engine.refused("special")).status == 503
    await engine.operator.provisioning.set_enabled("kling", enabled=True)
    await engine.services.directory.load()
    assert await names(engine, "special") == ["kling"]


async def test_a_removed_channel_is_as_if_it_never_was(engine: Engine) -> None:
    await engine.channel("kling", models=("special",))
    await engine.operator.provisioning.remove_channel("kling")
    await engine.services.directory.load()

    assert (await engine.refused("special")).status == 404
    assert (await engine.refused("kling-v2-6")).status == 503
    await engine.channel("kling")  # its name is free again
    assert await names(engine, "kling-v2-6") == ["kling"]


async def test_the_highest_priority_goes_first(engine: Engine) -> None:
    for number, priority in enumerate((0, 5, -3, 2)):
        await engine.channel("kling", f"p{priority}", priority=priority, weight=10 - number)

    orders = {tuple(await names(engine, "kling-v2-6", seed)) for seed in range(50)}

    assert orders == {("p5", "p2", "p0", "p-3")}


async def test_weights_are_shares(engine: Engine) -> None:
    weights = {"w1": 1, "w3": 3, "w6": 6, "w0": 0}
    for name, weight in weights.items():
        await engine.channel("kling", name, weight=weight)
    one = router(engine)

    rounds = 3000
    orders = [
        [c.name for c in await one.candidates(engine.caller.token, "kling-v2-6")]
        for _ in range(rounds)
    ]

    first = Counter(order[0] for order in orders)
    assert first["w0"] == 0
    assert all(order[-1] == "w0" for order in orders)
    assert {name: round(count / rounds, 1) for name, count in first.items()} == {
        "w1": 0.1,
        "w3": 0.3,
        "w6": 0.6,
    }


async def test_a_channel_of_weight_nothing_is_better_than_none(engine: Engine) -> None:
    await engine.channel("kling", weight=0)

    assert await names(engine, "kling-v2-6") == ["kling"]


# Permission


@pytest.mark.parametrize(
    ("models", "model", "metadata", "allowed"),
    [
        ((), "kling-v2-6", {}, True),
        (("kling-v2-6",), "kling-v2-6", {}, True),
        (("kling-*",), "kling-v2-6", {}, True),
        (("vidu*",), "kling-v2-6", {}, False),
        (("kling-v2-6",), "kling-v2-6", {"model_name": "kling-v3"}, False),
        (("kling-v2-6",), "kling-v2-6", {"model": "kling-v3"}, False),
        (("kling-v3",), "kling-v2-6", {"model_name": "kling-v3"}, True),
        (("kling-v3",), "kling-v2-6", {"model": "kling-v3"}, True),
        (("kling-v3",), "kling-v2-6", {"model_name": "kling-v3", "model": "x"}, True),
        (("kling-v2-5-turbo",), "kling-v1", {}, False),  # what it is mapped to does not count
        (("kling-v1",), "kling-v1", {}, True),
        (("kling-v2-6",), "boats", {}, False),
        (("boats",), "boats", {}, True),
        (("jimeng_i2v_first_v30",), "jimeng_t2v_v30", {}, True),  # one family
        (("jimeng_t2v_v30_1080p",), "jimeng_t2v_v30", {}, False),
        (("jimeng_t2v_v30",), "jimeng_t2v_v30", {"req_key": "jimeng_i2v_first_v30"}, True),
    ],
)
async def test_a_token_may_ask_for_its_models_only(
    engine: Engine, models: tuple[str, ...], model: str, metadata: dict[str, str], *, allowed: bool
) -> None:
    await engine.channel("kling", model_map={"boats": "kling-v2-6"})
    await engine.channel("jimeng")
    for name in ("kling", "jimeng"):
        Upstream(engine.router, name)
    await permitted(engine, *models)
    images = {"image_urls": ["https://pictures.example/a.png"]} if "req_key" in metadata else {}

    if allowed:
        created = await engine.create(model, metadata=metadata | images)
        assert created.snapshot.account_id == engine.caller.account_id
    else:
        error = await engine.refused(model, metadata=metadata | images)
        assert isinstance(error, PermissionDeniedError)
        assert (error.status, error.code) == (403, "model_not_permitted")
        assert error.param == "model"
        assert await engine.all_tasks() == []


async def test_a_model_that_a_vendor_field_names_runs_where_it_is_listed(engine: Engine) -> None:
    await engine.channel("jimeng", "texts", models=("jimeng_t2v_v30",), priority=1)
    await engine.channel("jimeng", "pictures", models=("jimeng_i2v_first_v30",))
    texts, pictures = (Upstream(engine.router, "jimeng", name) for name in ("texts", "pictures"))

    await engine.create(
        "jimeng_t2v_v30",
        metadata={
            "req_key": "jimeng_i2v_first_v30",
            "image_urls": ["https://pictures.example/a.png"],
        },
    )

    assert (len(texts.submits), len(pictures.submits)) == (0, 1)


async def test_the_model_that_metadata_names_is_the_one_that_runs(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")

    created = await engine.create("kling-v2-6", metadata={"model_name": "kling-v3"})

    assert created.snapshot.model == "kling-v3"
    assert created.snapshot.upstream_model == "kling-v3"
    assert b'"model_name":"kling-v3"' in fake.submits[0].content
    assert b"kling-v2-6" not in fake.submits[0].content


@pytest.mark.parametrize("name", ["model", "model_name"])
@pytest.mark.parametrize("value", [7, "", [], {"a": 1}, False])
async def test_a_model_in_metadata_is_a_name(engine: Engine, name: str, value: object) -> None:
    await engine.channel("kling")

    error = await engine.refused("kling-v2-6", metadata={name: value})

    assert (error.status, error.param) == (400, f"metadata.{name}")


async def test_an_expired_token_creates_nothing(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    await permitted(engine, expires_at=engine.clock.now() + timedelta(seconds=1))
    created = await engine.create("kling-v2-6")
    engine.clock.advance(seconds=1)

    error = await engine.refused("kling-v2-6")

    assert (error.status, error.code) == (403, "token_expired")
    assert len(fake.submits) == 1
    view = await engine.services.reader.read(
        created.snapshot.public_id, engine.caller.sight
    )  # it may read all the same
    assert view.snapshot.id == created.snapshot.id
    assert isinstance(engine.caller, Caller)
