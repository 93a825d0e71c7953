"""Attention plugins, one file a plugin: map (N, C, H, W) to a map of the same shape."""
