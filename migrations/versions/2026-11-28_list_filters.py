"""Indexes for the filters of lists.

Revision: 8c5e21f7a9d4
Follows: e19b4f6d7c02
"""

import sqlalchemy as sa
from alembic import op

revision = "8c5e21f7a9d4"
down_revision = "e7a4c90b13d8"
branch_labels = None
depends_on = None

_INDEXES = {
    "tasks_account_status_id_idx": ("status", None),
    "tasks_account_model_id_idx": ("model", None),
    "tasks_account_end_user_id_idx": ("end_user", "end_user IS NOT NULL"),
}


def upgrade() -> None:
    for name, (column, condition) in _INDEXES.items():
        op.create_index(
            name,
            "tasks",
            ["account_id", column, "id"],
            postgresql_where=sa.text(condition) if condition else None,
        )


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="tasks")
