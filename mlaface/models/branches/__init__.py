"""Image-level branches, one file a branch: image to a map shaped like the backbone's."""
