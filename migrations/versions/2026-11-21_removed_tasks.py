"""When a client removed a task, when a final one was changed, and keys by when they expire.

Revision: a41c07d95e3b
Follows: 7c1e5f0b92ad
"""

import sqlalchemy as sa
from alembic import op

revision = "a41c07d95e3b"
down_revision = "7c1e5f0b92ad"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "tasks",
        sa.Column(
            "amended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a final one was changed",
        ),
    )
    op.create_index(
        "tasks_amended_at_idx",
        "tasks",
        ["amended_at"],
        postgresql_where=sa.text("amended_at IS NOT NULL"),
    )
    op.add_column(
        "idempotency_keys",
        sa.Column(
            "acknowledged",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="a repetition was told of the task, which must not be undone any more",
        ),
    )
    op.create_index("idempotency_keys_expires_at_idx", "idempotency_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_index("idempotency_keys_expires_at_idx", table_name="idempotency_keys")
    op.drop_column("idempotency_keys", "acknowledged")
    op.drop_index("tasks_amended_at_idx", table_name="tasks")
    for name in ("amended_at", "removed_at"):
        op.drop_column("tasks", name)
