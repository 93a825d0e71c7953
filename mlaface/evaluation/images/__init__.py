"""Images of benchmarks: read by row, aligned or scaled."""
