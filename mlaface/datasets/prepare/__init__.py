"""Pack, convert, verify and inspect data sets."""
