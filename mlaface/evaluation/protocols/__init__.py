"""Protocols, one file each: how lists are read as they are published, and how scores become numbers."""
