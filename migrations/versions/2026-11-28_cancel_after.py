"""Deadlines that clients set for their own tasks.

Revision: e19b4f6d7c02
Follows: c4d7a90e1b35
"""

import sqlalchemy as sa
from alembic import op

revision = "e19b4f6d7c02"
down_revision = "c4d7a90e1b35"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "tasks",
        sa.Column(
            "cancel_after",
            sa.Text(),
            comment="a client's own deadline, or what came of it",
        ),
    )
    op.create_table(
        "cancellations",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("lease_id", sa.Uuid()),
        sa.Column("lease_until", _TIME),
        sa.PrimaryKeyConstraint("task_id", name="cancellations_pkey"),
        comment="Tasks to be cancelled then, unless they are final before.",
    )
    op.create_index("cancellations_due_at_idx", "cancellations", ["due_at"])


def downgrade() -> None:
    op.drop_table("cancellations")
    op.drop_column("tasks", "cancel_after")
