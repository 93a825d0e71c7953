"""The second generation of drawn faces: heads in three dimensions, lit and photographed."""
