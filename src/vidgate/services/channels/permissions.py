"""What a token may do."""

from datetime import datetime

from vidgate.exceptions import PermissionDeniedError
from vidgate.models.accounts import Caller

__all__ = ["check_address", "check_model", "check_token"]


def check_token(caller: Caller, now: datetime) -> None:
    """Refuse a token that is over: it may still read what exists.

    Raises:
        PermissionDeniedError: It has expired.
    """
    expires_at = caller.token.expires_at
    if expires_at is not None and expires_at <= now:
        raise PermissionDeniedError(
            "This token has expired and may only read what exists; ask for a new one.",
            code="token_expired",
        )


def check_address(caller: Caller, address: str | None) -> None:
    """Refuse a request from where the token may not be used.

    Args:
        caller: Who asks.
        address: From where, as trusted proxies say; `None` where nobody knows.

    Raises:
        PermissionDeniedError: It is in none of the token's networks.
    """
    if not caller.token.permits_address(address):
        raise PermissionDeniedError(
            f"This token may not be used from {address or 'an unknown address'}; ask for one that "
            "may.",
            code="address_not_permitted",
        )


def check_model(caller: Caller, family: tuple[str, ...], model: str) -> None:
    """Refuse a model that the token may not use.

    Args:
        caller: Who asks.
        family: The models whose permission covers it.
        model: The one that would run.

    Raises:
        PermissionDeniedError: The token permits none of them.
    """
    if not any(caller.token.permits(one) for one in (*family, model)):
        raise PermissionDeniedError(
            f"This token may not use the model {model!r}.",
            param="model",
            code="model_not_permitted",
        )
