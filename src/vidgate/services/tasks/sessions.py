"""Our names for what a provider opened and a client must name later.

Nothing is stored: a name holds, encrypted, which channel opened the session, for whom, and what the
provider calls it, so that every replica can read it. How long a session lives is the provider's.
What only one token sees has the token in its name; others look as they always did.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from vidgate.exceptions import NotFoundError
from vidgate.models.accounts import Sight
from vidgate.services.secrets import Purpose, SecretBox

__all__ = ["Sessions"]

_PREFIX = "session_"
_NAME = re.compile(_PREFIX + "gAAAAA[A-Za-z0-9_=-]*")
"""Ours, or made to look like it: what is encrypted begins so until the year 2106. Providers' own
are numbers, and clients that trace their calls have a `session_id` of their own for every model."""

_SEALED = re.compile(
    r"(?P<channel>[0-9a-f]{32})(?P<account>[0-9a-f]{32})(?:@(?P<token>[0-9a-f]{32})@)?"
    r"(?P<session>.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a session is."""

    account_id: UUID
    token_id: UUID | None


class Sessions:
    """Makes names of sessions, and reads them.

    Args:
        box: Encrypts them; a name outlives a rotation of keys as stored secrets do.
    """

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def is_name(self, text: str) -> bool:
        """Whether it has the form of our names."""
        return _NAME.fullmatch(text) is not None

    def seal(self, session: str, *, channel_id: UUID, sight: Sight) -> str:
        """Make the name of a session.

        Args:
            session: The provider's own.
            channel_id: Which opened it.
            sight: Of who opened it: it is found by whoever has the same.
        """
        token = f"@{sight.token_id.hex}@" if sight.token_id else ""
        text = f"{channel_id.hex}{sight.account_id.hex}{token}{session}"
        return _PREFIX + self._box.encrypt(Purpose.SESSION, text).decode()

    def open(self, name: str, sight: Sight, *, param: str) -> tuple[str, UUID]:
        """The provider's own name of a session, and the channel that opened it.

        Args:
            name: In the form of ours.
            sight: Of who asks.
            param: The field that it stands in.

        Raises:
            NotFoundError: It is no name that we made, or out of sight.
        """
        sealed = name.removeprefix(_PREFIX).encode()
        found = _SEALED.fullmatch(self._box.decrypt_given(Purpose.SESSION, sealed) or "")
        if found is None or not sight.covers(_owner(found)):
            raise NotFoundError(
                f"There is no such session; send the {param} that the call which opened it "
                "answered.",
                param=param,
                code="session_not_found",
            )
        return found["session"], UUID(found["channel"])


def _owner(sealed: re.Match[str]) -> _Owner:
    token = sealed["token"]
    return _Owner(UUID(sealed["account"]), None if token is None else UUID(token))
