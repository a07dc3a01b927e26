"""What of a request was ignored, adjusted or passed on unknown, kept with its task.

Revision: 9d27c4e1b6f8
Follows: 7c1e5a9b40d2
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "9d27c4e1b6f8"
down_revision = "7c1e5a9b40d2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tasks",
        sa.Column(
            "warnings",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'[]'::jsonb"),
        ),
    )


def downgrade() -> None:
    op.drop_column("tasks", "warnings")
