"""What builds and runs the containers takes everything from where the operator says."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_COMPOSE = (_ROOT / "docker-compose.yml").read_text()
_DOCKERFILE = (_ROOT / "Dockerfile").read_text()


def test_every_base_image_can_come_from_elsewhere() -> None:
    bases = re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
    images = re.findall(r"^    image: (.+)$", _COMPOSE, re.MULTILINE)

    assert bases
    assert all(base.startswith("${IMAGE_PREFIX}") for base in bases)
    assert '"${VIDGATE_IMAGE:-vidgate}"' in images
    assert all(re.match(r'"\$\{(IMAGE_PREFIX:-|VIDGATE_IMAGE:-vidgate)\}', one) for one in images)


@pytest.mark.parametrize("name", ["IMAGE_PREFIX", "PIP_INDEX_URL"])
def test_a_build_argument_is_handed_on_and_known_to_the_example(name: str) -> None:
    assert f'ARG {name}=""' in _DOCKERFILE
    assert f'{name}: "${{{name}:-}}"' in _COMPOSE
    assert f"\n#{name}=\n" in (_ROOT / ".env.example").read_text()
