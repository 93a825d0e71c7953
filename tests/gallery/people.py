"""Small embeddings that are known, and the model that made them."""
import numpy as np

SIZE = 48
MODEL = dict(name='tested', sha256='ab' * 32, embedding_size=SIZE, flip='none')
KEY = bytes(range(32))


def person(number, near=None, noise=0.3):
    """An embedding of unit length, always the same; ``near`` makes it another image of that person."""
    row = np.random.default_rng(number).standard_normal(SIZE)
    row /= np.linalg.norm(row)
    row = row if near is None else person(near) + noise * row
    return (row / np.linalg.norm(row)).astype(np.float32)
