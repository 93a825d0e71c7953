"""Hooks, one file a hook."""
