"""HTML, PNG and CSV from result JSON."""
