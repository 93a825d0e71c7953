"""Loaders of the engine."""
import os
import subprocess
import sys

SCRIPT = """
import os, signal, sys
from mlaface.engine.data import build_dataloader
from tests.engine import toy
signal.signal(signal.SIGTERM, lambda *_: None)
cfg = dict(dataset=toy.ToyFaces(images=24), sampler=dict(type='ToySampler'), batch_size=4, num_workers=1,
           persistent_workers=True, collate_fn=dict(type='collate_images'))
loader = build_dataloader(cfg, seed=0)
seen = 0
for batch in loader:
    os.killpg(0, signal.SIGTERM)
    seen += len(batch['images'])
print(seen, flush=True)
keep = loader._iterator  # alive until the interpreter ends it
"""


def test_workers_outlive_the_signals_of_the_group_but_not_the_run():
    run = subprocess.run([sys.executable, '-c', SCRIPT], capture_output=True, text=True, timeout=120,
                         start_new_session=True, env={**os.environ, 'PYTHONPATH': os.getcwd()}, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, '24'), run.stderr
