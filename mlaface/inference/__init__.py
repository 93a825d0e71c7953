"""Photographs to faces to embeddings: sources, detectors, alignment, quality, comparison."""
