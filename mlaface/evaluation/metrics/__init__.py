"""MMEngine metrics around the pure functions, one a protocol."""
