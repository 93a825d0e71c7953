"""Branches, one file a branch: image, or the backbone's map, to a map shaped like the backbone's."""
