"""Pure functions on numpy arrays: ROC, pairs, templates, identification, intervals."""
