"""A file a detector (``DETECTORS``): an image to boxes, five points and scores; see ``base.Detector``."""
