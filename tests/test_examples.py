"""The examples run as their pages say."""
import shlex
from pathlib import Path

import torch

from mlaface.registry import MODELS

ROOT = Path(__file__).resolve().parent.parent


def test_an_attention_plugin_of_ones_own(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from mlaface.engine.config import load_config
    config = load_config(ROOT / 'examples' / 'own_attention' / 'config.py')
    config.model.head.num_classes = 5
    model = MODELS.build(config.model)
    kinds = {type(module).__name__ for module in model.modules()}
    assert 'GatedChannels' in kinds
    loss = model(torch.zeros(2, 3, 112, 112, dtype=torch.uint8), torch.tensor([0, 4]), mode='loss')['loss']
    assert loss.isfinite()


def test_the_margin_of_the_guide():
    """docs/extending.md shows a margin: it registers, and its loss falls when the embeddings near their centres."""
    page = (ROOT / 'docs' / 'extending.md').read_text()
    code = page.split('```python')[1].split('```')[0]
    names = {}
    exec('import math\nfrom mlaface.models.margins.base import Margin, angle\nfrom mlaface.registry import MARGINS\n'
         + code, names)
    try:
        head = MODELS.build(dict(type='MarginHead', num_classes=4, embedding_size=8, margin=dict(type='LinearMargin')))
        labels = torch.arange(4)
        near, far = head.weight.detach(), -head.weight.detach()
        assert head.loss(near, labels)['loss'] < head.loss(far, labels)['loss']
    finally:
        names['MARGINS'].module_dict.pop('LinearMargin')


def test_the_options_of_the_guide():
    """docs/training.md shows a table of --cfg-options: each is taken by a config, as a shell hands it over."""
    from mlaface.engine.config import load_config
    table = (ROOT / 'docs' / 'training.md').read_text().split('(`--cfg-options`) |')[1].split('\n\n')[0]
    cells = [line.split(' | ')[-1].strip('`| ') for line in table.splitlines()[2:]]
    assert len(cells) == 7
    for cell in cells:
        load_config(ROOT / 'configs' / 'arcface_r18w025_faces_small.py', shlex.split(cell))
