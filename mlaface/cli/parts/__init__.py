"""What several commands are made of; each file beside this folder is a command."""
