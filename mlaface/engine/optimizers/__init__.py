"""Optimizers that touch only the rows that a sampled head has sampled."""
