"""Since when a job's failure is doubted, and when the job was first seen running.

Revision: 5d9b2e60c7f4
Follows: a41c07d95e3b
"""

import sqlalchemy as sa
from alembic import op

revision = "5d9b2e60c7f4"
down_revision = "a41c07d95e3b"
branch_labels = None
depends_on = None

_NAMES = ("doubted_at", "seen_running_at")


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("attempts", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in _NAMES:
        op.drop_column("attempts", name)
