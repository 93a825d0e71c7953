"""Image transforms on uint8 arrays."""
