"""Necks: map to embedding (N, D)."""
