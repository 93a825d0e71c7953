"""How and where a gallery is searched; the numbers are the same."""
