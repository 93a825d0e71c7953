"""Samplers whose position is state that a checkpoint can hold."""
