"""The golden margins through the head: all classes in one block, and in blocks of three."""
import json

import numpy as np
import pytest
import torch

from mlaface.models.heads.margin_head import MarginHead
from tests.conftest import golden

GOLDEN = json.loads(golden('margins_golden.json').read_text())
TOLERANCE = GOLDEN['tolerance']


def close(found, wanted, what):
    found = found.detach().numpy() if torch.is_tensor(found) else found
    np.testing.assert_allclose(found, wanted, **TOLERANCE, err_msg=what)


def build(case, chunk):
    inputs = case['inputs_by_step'][0]
    params = dict(case['params'])
    if case['type'] == 'SphereFace2':
        params.setdefault('bias', -10.0)
    margin = dict(params, type=case['type'])
    rows = len(inputs['weight'])
    per_class = params.get('k', 3) if case['type'] == 'SubCenterArcFace' else 1
    torch.set_default_dtype(torch.float64)  # built in float64, so that a start value of 0.4 is 0.4
    try:
        return MarginHead(rows // per_class, 16, margin, chunk_size=chunk)
    finally:
        torch.set_default_dtype(torch.float32)


def check_parameters(head, wanted, name):
    for key, expected in (wanted or {}).items():
        parameter = getattr(head.margin, key)
        close(parameter, expected['value'], f'{name} {key}')
        close(parameter.grad, expected['grad'], f'{name} gradient of {key}')


@pytest.mark.parametrize('chunk', [None, 3])
@pytest.mark.parametrize('case', GOLDEN['cases'], ids=lambda case: case['name'])
def test_golden(case, chunk):
    head = build(case, chunk)
    for inputs, wanted in zip(case['inputs_by_step'], case['steps']):
        with torch.no_grad():
            head.weight.copy_(torch.tensor(inputs['weight'], dtype=torch.float64))
        embeddings = torch.tensor(inputs['embeddings'], dtype=torch.float64, requires_grad=True)
        labels = torch.tensor(inputs['labels'])
        drawn = torch.tensor(inputs['drawn'], dtype=torch.float64) if 'drawn' in inputs else None
        head.zero_grad()
        loss = head.loss(embeddings, labels, drawn=drawn)['loss']
        loss.backward()
        close(loss, wanted['loss'], 'loss')
        close(head.logits(embeddings, labels, drawn=drawn), wanted['logits'], 'logits')
        close(embeddings.grad.norm(dim=1), wanted['grad_embeddings_norm'], 'gradient of embeddings')
        close(head.weight.grad.norm(dim=1), wanted['grad_weight_norm'], 'gradient of weight')
        for key, value in wanted['state'].items():
            close(getattr(head.margin, key), value, f'state {key}')
        check_parameters(head, wanted.get('parameters'), case['name'])


def test_the_margins_with_golden_numbers_are_there():
    from mlaface.registry import MARGINS
    assert {case['type'] for case in GOLDEN['cases']} <= set(MARGINS.names())  # one of your own may have none
