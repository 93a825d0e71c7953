"""Checkpoints: atomic files and row-sharded state."""
