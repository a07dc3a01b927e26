"""In which order the tasks of an account have changed.

Revision: c4d7a90e1b35
Follows: 4e8b1f6c2a70
"""

import sqlalchemy as sa
from alembic import op

revision = "c4d7a90e1b35"
down_revision = "4e8b1f6c2a70"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "tasks_changed_idx",
        "tasks",
        [
            "account_id",
            sa.text("GREATEST(created_at, started_at, finished_at, amended_at)"),
            "id",
        ],
    )


def downgrade() -> None:
    op.drop_index("tasks_changed_idx", table_name="tasks")
