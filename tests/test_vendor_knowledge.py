"""What is known of one provider stands in its own files and nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vidgate
from vidgate.providers.registry import PROVIDERS
from vidgate.sandbox.registry import STAND_INS

SOURCE = Path(vidgate.__file__).parent
NAMES = {
    *(provider.name for provider in PROVIDERS),
    *(
        pattern.rstrip("-*")
        for provider in PROVIDERS
        for pattern in provider.capabilities.model_patterns
    ),
}
NAMED = re.compile(rf"(?<![a-z])({'|'.join(sorted(NAMES))})")
ELSEWHERE = ("providers", "sandbox", "api/dialects")
"""Vendors' wire formats, each in files of its own."""

ADAPTER_FILES = {one.__module__.rpartition(".")[2] for one in PROVIDERS}
"""Where an adapter is one file, and not a package."""

STAND_IN_FILES = {one.__module__.rpartition(".")[2] for one in STAND_INS}
"""How the names of a stand-in's files begin."""

FILES = [
    *(
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if not any(path.is_relative_to(SOURCE / folder) for folder in ELSEWHERE)
    ),
    *(path for path in sorted((SOURCE / "providers" / "transport").glob("*.py"))),
    *(
        path
        for path in sorted((SOURCE / "providers").glob("*.py"))
        if path.stem not in {"registry", *ADAPTER_FILES}
    ),
    *(
        path
        for path in sorted((SOURCE / "sandbox").glob("*.py"))
        if path.stem != "registry" and path.stem.partition("_")[0] not in STAND_IN_FILES
    ),
]


def prose_of(tree: ast.Module) -> Iterator[ast.AST]:
    """Docstrings, and examples for the documentation: they may illustrate, nothing acts on them."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as text):
                yield text
            case ast.Assign(targets=[ast.Name(id=name)]) if name.strip("_").startswith("EXAMPLE"):
                yield from ast.walk(node)
            case _:
                pass


def code_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The names and texts of a module, by line."""
    prose = set(prose_of(tree))
    for node in ast.walk(tree):
        if node in prose:
            continue
        match node:
            case (
                ast.Constant(value=str(text))
                | ast.Name(id=text)
                | ast.Attribute(attr=text)
                | ast.FunctionDef(name=text)
                | ast.AsyncFunctionDef(name=text)
                | ast.ClassDef(name=text)
                | ast.ImportFrom(module=str(text))
                | ast.keyword(arg=str(text))
                | ast.arg(arg=text)
                | ast.alias(name=text)
            ):
                yield node.lineno, text
            case _:
                pass


def leaks_in(source: str) -> list[tuple[int, str]]:
    return [(line, text) for line, text in code_of(ast.parse(source)) if NAMED.search(text.lower())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_provider_is_named(path: Path) -> None:
    assert leaks_in(path.read_text()) == []


@pytest.mark.parametrize("name", sorted(filter(str.isidentifier, NAMES)))
@pytest.mark.parametrize(
    "source",
    [
        "A = '{0}'",
        "A = f'/{0}/x'",
        "if provider.name == '{0}': pass",
        "def to_{0}(): pass",
        "async def to_{0}(): pass",
        "class {0}Thing: pass",
        "import vidgate.providers.{0}",
        "from vidgate.providers.{0} import x",
        "call({0}_key=1)",
        "def f({0}): pass",
        "a.{0}",
    ],
)
def test_every_way_to_name_one_is_seen(source: str, name: str) -> None:
    assert leaks_in(source.format(name))


def test_prose_may_name_one() -> None:
    name = min(NAMES)

    assert not leaks_in(f'"""Such as {name}."""\nA = 1\n"""As {name} has it."""  # {name}')
    assert not leaks_in("A = 'for each individual'")
    assert not leaks_in(f'_EXAMPLE = {{"id": "{name}-1"}}')
