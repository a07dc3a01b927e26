"""Whose turn it is at a channel, and how long the tasks of a token may wait for it.

What went before writes attempts without an owner: together they are one more account in line.

Revision: 8d2a7c40e1b5
Follows: e7a4c90b13d8
"""

import sqlalchemy as sa
from alembic import op

revision = "8d2a7c40e1b5"
down_revision = "8c5e21f7a9d4"
branch_labels = None
depends_on = None

_NOBODY = sa.text("'00000000-0000-0000-0000-000000000000'::uuid")
_OWNERS = """
UPDATE attempts SET account_id = tasks.account_id, token_id = tasks.token_id
FROM tasks WHERE tasks.id = attempts.task_id AND attempts.status = 'pending'
"""


def upgrade() -> None:
    op.add_column(
        "tokens",
        sa.Column("queue_wait", sa.Interval(), comment="null: as the deployment says"),
    )
    for name in ("account_id", "token_id"):
        column = sa.Column(name, sa.Uuid(), nullable=False, server_default=_NOBODY)
        op.add_column("attempts", column)
    op.execute(_OWNERS)
    op.create_index(
        "attempts_turn_idx",
        "attempts",
        ["channel_id", "account_id", "token_id", "id"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "turns",
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "account_id", "token_id", name="turns_pkey"),
        comment="When each token last had its turn at a channel, by the server's own clock.",
    )


def downgrade() -> None:
    op.drop_table("turns")
    op.drop_index("attempts_turn_idx", table_name="attempts")
    op.drop_column("attempts", "token_id")
    op.drop_column("attempts", "account_id")
    op.drop_column("tokens", "queue_wait")
