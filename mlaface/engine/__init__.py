"""Runner, loops, hooks, schedules, optimizers and checkpoints."""
