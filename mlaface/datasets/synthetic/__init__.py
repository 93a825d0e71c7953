"""Faces drawn from numbers."""
