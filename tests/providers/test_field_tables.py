"""Every row of every adapter's tables, with a value that passes and one beyond each bound.

An adapter joins by having `FORMS` in its module `fields`. `examples/<name>.py` beside this file has
`example`, which makes a request that the adapter takes, for the model and the place of a form, and
perhaps `BESIDE`: by the place and the client's word for a field, what it needs beside it, `None`
for what is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from tests.support.checks import samples_of

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.draft import merge
from vidgate.providers.fields import Absent, Form, Items
from vidgate.providers.registry import PROVIDERS

ADAPTERS = {one.name: one() for one in PROVIDERS}


def forms_of(provider: type) -> Mapping[tuple[str, str], Form]:
    """Of its module `fields`, or of its one module."""
    package = provider.__module__.rpartition(".")[0]
    own = f"{package}.fields" if package != "vidgate.providers" else provider.__module__
    try:
        module = import_module(own)
    except ModuleNotFoundError:
        return {}
    forms: Mapping[tuple[str, str], Form] = getattr(module, "FORMS", {})
    return forms


FORMS = {(one.name, *key): form for one in PROVIDERS for key, form in forms_of(one).items()}


def rows(form: Form) -> Iterator[tuple[str, str, Any, list[Any]]]:
    """The client's word for each field, the field that it stands in, and the samples there."""
    for name, check in form.checks.items():
        field, _, member = name.partition(".")
        good, bad = samples_of(check)
        if member:
            good, bad = {member: good}, [{member: one} for one in bad]
        yield name, field, good, bad
        if isinstance(check, Items):
            for of, one in check.of.items():
                good, bad = samples_of(one)
                yield (
                    f"{name}.{of}",
                    name,
                    [{of: good}] * check.least,
                    [[{of: value}] * check.least for value in bad],
                )


def test_every_provider_that_knows_models_has_tables_of_them() -> None:
    knows = {name: adapter.capabilities.models for name, adapter in ADAPTERS.items()}

    assert {provider for provider, _, _ in FORMS} == {name for name in knows if knows[name]}
    for provider, model, _ in FORMS:
        assert model in knows[provider]


@pytest.mark.parametrize("key", FORMS, ids="/".join)
def test_no_form_is_empty(key: tuple[str, str, str]) -> None:
    form = FORMS[key]

    assert form.checks or form.rules or form.first


@pytest.mark.parametrize("key", FORMS, ids="/".join)
def test_every_row_of_a_form_lets_through_and_refuses(key: tuple[str, str, str]) -> None:
    provider, model, place = key
    form, adapter = FORMS[key], ADAPTERS[provider]
    examples = import_module(f"tests.providers.examples.{provider}")
    beside_it = getattr(examples, "BESIDE", {})
    request = examples.example(model, place)
    adapter.translate(request)

    for name, field, good, bad in rows(form):
        beside = merge(request.metadata, beside_it.get((place, name), {}))
        said = set()
        for value in bad:
            with pytest.raises(UnsupportedParameterError) as caught:
                adapter.translate(replace(request, metadata=merge(beside, {field: value})))
            assert caught.value.param == name
            said.add(caught.value.message)

        alone = request.metadata if isinstance(form.checks.get(name), Absent) else beside
        try:
            adapter.translate(replace(request, metadata=merge(alone, {field: good})))
        except UnsupportedParameterError as error:
            # What else it needs need not be there, but it is not refused for what it is.
            assert error.message not in said, name  # noqa: PT017 - it need not be met
