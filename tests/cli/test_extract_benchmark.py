"""benchmark.py extract: runs small, and states the ratio and the memory."""
import json

import pytest

from mlaface.cli.benchmarks.extract import main


@pytest.mark.slow
def test_extract_benchmark_runs_small(tmp_path):
    config = tmp_path / 'c.py'
    config.write_text("model = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=18, width=0.125),\n"
                      "             neck=dict(type='EmbeddingNeck', in_channels=64, in_size=7, embedding_size=16))\n")
    main([str(config), '--images', '32', '--batch-size', '8', '--repeats', '1', '--out', str(tmp_path / 'b.json')])
    found = json.loads((tmp_path / 'b.json').read_text())
    assert found['ratios']['extraction over bare forward'] > 0
    assert [row['case'] for row in found['rows']][2:] == [f'memory, 1/{part} of the images' for part in (4, 2, 1)]
