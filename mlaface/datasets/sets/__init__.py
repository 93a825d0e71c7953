"""Dataset classes over the formats."""
