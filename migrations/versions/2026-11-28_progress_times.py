"""When a job's progress was last another, so that streams of all tasks can tell it.

Revision: b50c6e83d1f7
Follows: 8f3b6d1e90ac
"""

import sqlalchemy as sa
from alembic import op

revision = "b50c6e83d1f7"
down_revision = "8f3b6d1e90ac"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("progressed_at", sa.DateTime(timezone=True)))
    op.create_index(
        "attempts_progress_idx",
        "attempts",
        ["account_id", "progressed_at", "id"],
        postgresql_where=sa.text("status = 'running' AND progressed_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("attempts_progress_idx", table_name="attempts")
    op.drop_column("attempts", "progressed_at")
