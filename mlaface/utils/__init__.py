"""What three rooms need, and nothing else."""
