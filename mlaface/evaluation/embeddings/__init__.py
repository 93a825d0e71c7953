"""Images to embeddings, and embeddings in tables and files."""
