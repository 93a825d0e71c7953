"""Any model behind one face, a file a kind: uint8 RGB images in, embeddings out; see ``base.Network``."""
