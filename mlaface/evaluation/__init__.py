"""Protocols, metrics, embedding extraction and reports."""
