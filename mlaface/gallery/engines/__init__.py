"""What keeps a gallery, a file an engine; see ``base.Engine``."""
