"""Exact search: a coarse pass over compressed rows with a bound on its error, then exact cosines of the few left."""
