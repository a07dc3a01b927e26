"""What is due, by channel.

Revision: 5d0b6c2e8f17
Follows: 5d9b2e60c7f4
"""

import sqlalchemy as sa
from alembic import op

revision = "5d0b6c2e8f17"
down_revision = "5d9b2e60c7f4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "attempts_channel_due_idx",
        "attempts",
        ["channel_id", "due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL AND status <> 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("attempts_channel_due_idx", table_name="attempts")
