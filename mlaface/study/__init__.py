"""Studies: a plan of training runs, the runs, what they say together, and the page that shows it."""
