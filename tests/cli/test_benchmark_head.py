"""The benchmark of the head runs on one process and on two, and reports what it says."""
import json

import pytest

from mlaface.cli.benchmarks import head


@pytest.mark.slow
def test_small_run_on_one_process_and_two(tmp_path):
    report = head.main(['--classes', '200', '--ranks', '2', '--repeats', '1', '--rounds', '1', '--batch-size', '8',
                        '--width', '16', '--cases', 'full', 'sampled', '--out', str(tmp_path / 'b.json'),
                        '--threads', '2'])
    assert json.loads((tmp_path / 'b.json').read_text()) == report
    assert [row['case'] for row in report['rows']] == [
        f'{case}, 200 classes, 2 rank(s): {what}' for case in ('full', 'sampled')
        for what in ('step', 'peak of a rank')]
    assert all(row['value'] > 0 for row in report['rows'] if row['unit'] == 'ms')
    assert '200 classes, 2 rank(s): time of full over sampled' in report['ratios']


@pytest.mark.parametrize('arguments', [['--classes', '0'], ['--ranks', '3'], ['--cases', 'other']])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(SystemExit) as stop:
        head.main(arguments)
    assert stop.value.code == 2
