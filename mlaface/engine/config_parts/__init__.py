"""What reading and checking a config is made of; ``mlaface.engine.config`` puts it together."""
