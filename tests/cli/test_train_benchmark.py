"""benchmark.py train: runs small, beside the loops and configs that it is compared with."""
import json
from pathlib import Path

from mlaface.cli.benchmarks.train import main

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def test_train_benchmark_runs_small(tmp_path):
    main([str(CONFIGS / 'mla_r18w025_synthetic.py'), '--bare', '--obvious', '--over',
          str(CONFIGS / 'arcface_r18w025_faces_small.py'), '--batch-size', '2', '--num-classes', '5', '--repeats', '1',
          '--out', str(tmp_path / 'b.json')])
    found = json.loads((tmp_path / 'b.json').read_text())
    assert [row['case'] for row in found['rows']] == ['runner', 'bare torch loop', 'obvious bare loop',
                                                      'arcface_r18w025_faces_small']
    assert set(found['ratios']) == {f'runner over {row["case"]} (time)' for row in found['rows'][1:]}
    assert all(ratio > 0 for ratio in found['ratios'].values())
