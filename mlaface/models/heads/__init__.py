"""Heads: class centres, their sharding, sampling, chunking, and the loss."""
