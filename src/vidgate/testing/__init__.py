"""The tests that every provider must pass, for packages that bring one.

```python
from pathlib import Path

from acme_video import Acme
from vidgate.testing import ProviderContract


class TestAcme(ProviderContract):
    provider = Acme
    folder = Path(__file__).parent / "data"  # situations.json and the replies
```
"""

try:
    import hypothesis as _hypothesis  # noqa: F401 - only whether it is there
    import pytest
except ModuleNotFoundError as error:
    raise ImportError(
        f"vidgate.testing needs {error.name}: pip install pytest hypothesis", name=error.name
    ) from error

pytest.register_assert_rewrite("vidgate.testing.contract")

from vidgate.testing.contract import ProviderContract, read_answer  # noqa: E402 - rewritten first
from vidgate.testing.situations import (  # noqa: E402 - after the above
    Situations,
    SituationsError,
    read_situations,
)

__all__ = [
    "ProviderContract",
    "Situations",
    "SituationsError",
    "read_answer",
    "read_situations",
]
