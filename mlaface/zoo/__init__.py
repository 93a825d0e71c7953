"""Models to use: files that carry all that is known of them, an index, and downloads that are checked."""
