"""Sharded heads equal the whole one: every margin on 1, 2, 3 and 4 gloo ranks, chunked and not."""
import pytest

from mlaface.registry import MARGINS
from tests.engine.gloo import run_ranks
from tests.models.heads.sharded import compare_all


@pytest.mark.parametrize('world', [2, *(pytest.param(world, marks=pytest.mark.slow) for world in (1, 3, 4))])
def test_sharded_equals_whole(world, tmp_path):
    assert len(MARGINS.names()) > 20  # imported here, and not by each rank
    assert len(run_ranks(compare_all, world, tmp_path / 'ranks')) == world
