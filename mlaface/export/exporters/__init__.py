"""Formats that a network leaves in, a file each; see ``base.Exporter``."""
