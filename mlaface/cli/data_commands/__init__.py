"""What ``mlaface data VERB`` does, a module a verb."""
