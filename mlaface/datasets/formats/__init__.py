"""Bytes in and out: RecordIO, bin sets; no torch."""
