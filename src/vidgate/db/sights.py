"""What somebody sees, as a condition of a statement."""

from typing import Any

from sqlalchemy import ColumnElement, Table, Uuid, and_, bindparam, or_

from vidgate.models.accounts import Sight

__all__ = ["in_sight", "sight_binds"]


def in_sight(table: Table) -> ColumnElement[bool]:
    """The rows of a table with an owner that somebody sees; see `sight_binds`."""
    token = bindparam("sight_token_id", type_=Uuid)
    return and_(
        table.c.account_id == bindparam("sight_account_id", type_=Uuid),
        or_(token.is_(None), table.c.token_id == token),
    )


def sight_binds(sight: Sight) -> dict[str, Any]:
    """The binds of `in_sight`."""
    return {"sight_account_id": sight.account_id, "sight_token_id": sight.token_id}
