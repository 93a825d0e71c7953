"""Benchmarks behind tools/analysis/benchmark.py, one file a subject."""
