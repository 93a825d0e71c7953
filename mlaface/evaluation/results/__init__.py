"""What was measured: result JSON, its intervals, its tables, and thresholds beside a model."""
