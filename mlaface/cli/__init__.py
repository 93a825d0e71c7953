"""The commands; each a thin file."""
