"""The path of a compatible server's base URL is its whole prefix, so `/v1` is a part of it.

What went before took a `/v1` at the end off and put it on again, so it runs with both.

Revision: 4e8b1f6c2a70
Follows: b3f1c86e2d70
"""

from alembic import op

revision = "4e8b1f6c2a70"
down_revision = "b3f1c86e2d70"
branch_labels = None
depends_on = None

_CHANNELS = """
UPDATE channels SET base_url = base_url || '/v1'
WHERE provider = 'openai_compatible' AND base_url ~ '^https?://[^/]+/.' AND base_url !~ '/v1/?$'
"""
_CREDENTIALS = """
UPDATE credentials SET base_url = base_url || '/v1'
WHERE channel_id IN (SELECT id FROM channels WHERE provider = 'openai_compatible')
AND base_url ~ '^https?://[^/]+/.' AND base_url !~ '/v1/?$'
"""


def upgrade() -> None:
    op.execute(_CHANNELS)
    op.execute(_CREDENTIALS)


def downgrade() -> None:
    pass
