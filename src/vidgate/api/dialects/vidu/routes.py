"""Vidu's own dialect: its routes."""

from fastapi import APIRouter

__all__ = ["router"]

router = APIRouter()
