"""Webhooks: where they go, and how they get there."""
