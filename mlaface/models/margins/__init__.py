"""Margins, one file a family: cosines to logits; mathematics only."""
