"""The benchmark's named competitor gives the numbers that it is compared on."""
import numpy as np
import pytest

from mlaface.cli.benchmarks import _eval_cases
from mlaface.evaluation.functional.pairs import PairRules, evaluate_pairs


def test_the_plain_routine_agrees_with_ours():
    embeddings, flipped, issame = _eval_cases.generated_pairs(200)
    metrics = evaluate_pairs(embeddings, issame, flipped=flipped, rules=PairRules(compat='insightface'))['metrics']
    accuracy, tar = _eval_cases.plain_ten_folds(embeddings, flipped, issame)
    assert metrics['accuracy']['value'] == pytest.approx(accuracy, abs=1e-12)
    assert metrics['val']['value'] == pytest.approx(tar, abs=1e-12)
    assert 0.5 < accuracy < 1


def test_large_cases_run_and_report_memory(monkeypatch):
    tiny = dict(pairs=200, images=300, templates=60, template_pairs=2000, positives=100, subjects=20, probes=30,
                gallery=200)
    assert 0 < _eval_cases.templates_case(tiny)['tar'] <= 1
    blocks, through_faiss = _eval_cases.blocks_case(tiny), _eval_cases.faiss_case(tiny)
    assert blocks['metrics']['rank']['1']['value'] > 0.9 and blocks['metrics'] == through_faiss['metrics']
    assert _eval_cases.bare_faiss_case(tiny)['seconds']['total'] > 0
    assert _eval_cases.peak_bytes() > 1e7


def test_generated_lists_have_the_stated_labels():
    size = _eval_cases.SIZES['small']
    templates, _, first, second, issame = _eval_cases._template_lists(size, np.random.default_rng(0))
    assert len(np.unique(templates)) == size['templates'] and len(templates) == size['images']
    assert issame[:size['positives']].all() and (first[:size['positives']] != second[:size['positives']]).all()
