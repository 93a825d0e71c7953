"""Backbones, one file a family: image (N, 3, 112, 112) to map (N, C, 7, 7)."""
