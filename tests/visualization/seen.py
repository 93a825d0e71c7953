"""Small networks with attention, and a face for them."""
import numpy as np
import torch

from mlaface.models.gates import LearnableGate
from mlaface.registry import MODELS

SIZE = 32
CROP = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)
OTHER = np.random.default_rng(1).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)
BRANCHES = [dict(type='PatchSelfAttention', channels=64, patch=16, qk_channels=8),
            dict(type='MapSelfAttention', channels=64, heads=2, qk_channels=4, size=2)]


def config_of(attention='HybridAttention', branches=True):
    """A recognizer's config; its maps are 16, 8, 4 and 2 places wide."""
    joined = dict(branch=BRANCHES, fusion=dict(type='GatedFusion', channels=64, branches=2)) if branches else {}
    return dict(type='FaceRecognizer', **joined, neck=dict(type='EmbeddingNeck', in_channels=64, in_size=2,
                                                           embedding_size=8),
                backbone=dict(type='IResNet', width=0.125, in_size=SIZE,
                              attention=dict(type=attention) if attention else None))


def network(attention='HybridAttention', branches=True):
    """A recognizer in evaluation mode, drawn from seed 0; the gate of each block has another value."""
    torch.manual_seed(0)
    model = MODELS.build(config_of(attention, branches)).eval()
    for number, module in enumerate(gate for gate in model.modules() if isinstance(gate, LearnableGate)):
        torch.nn.init.constant_(module.gamma, 0.1 * number)
    return model


def checkpoint(folder, **options):
    """A network as a checkpoint ``best.pth`` in a folder; the network."""
    model = network(**options)
    torch.save(dict(schema=1, config=f'model = {config_of(**options)!r}',
                    model=dict(state_dict=model.state_dict(), input=model.input_spec)), folder / 'best.pth')
    return model
