"""Fusions of trunk and branch: (map, map) to map."""
