"""Training runs side by side: what their work folders tell, and how fast they converge."""
