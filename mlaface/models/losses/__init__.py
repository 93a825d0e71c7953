"""Losses beside the margin: metric learning, distillation, penalties."""
