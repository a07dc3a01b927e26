"""What one of several processes serves."""

import signal

from fastapi import FastAPI

from vidgate.main import create_app

__all__ = ["create_child"]


def create_child() -> FastAPI:
    """Build the application in a process that its parent alone is to stop."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that ends tells all of us
    return create_app()
