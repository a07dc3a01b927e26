"""Which attempt a job of a channel is of, found by the job.

Revision: 7c1e5a9b40d2
Follows: 5d0b6c2e8f17
"""

import sqlalchemy as sa
from alembic import op

revision = "7c1e5a9b40d2"
down_revision = "5d0b6c2e8f17"
branch_labels = None
depends_on = None

_NAME = "attempts_channel_ref_idx"


def upgrade() -> None:
    op.create_index(
        _NAME,
        "attempts",
        ["channel_id", "ref_id"],
        postgresql_where=sa.text("ref_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(_NAME, table_name="attempts")
