"""Progress bars: on a terminal alone, and nothing of the work is lost to them."""
import io
import sys

import pytest

from mlaface.cli.parts.progress import bar, bars, tracked


class Terminal(io.StringIO):
    def isatty(self):
        return True


def stands_for_stderr(kind, monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setattr(sys, 'stderr', kind())
    return sys.stderr


@pytest.mark.parametrize('kind', [Terminal, io.StringIO])
def test_items_come_through_and_are_counted(kind, monkeypatch):
    stderr = stands_for_stderr(kind, monkeypatch)
    assert list(tracked(iter('abc'), 'looking', total=3)) == list('abc')
    assert list(tracked('ab', 'reading')) == list('ab')
    text = stderr.getvalue()
    assert ('looking' in text and '3/3' in text and '2/2' in text) if stderr.isatty() else text == ''


@pytest.mark.parametrize('kind', [Terminal, io.StringIO])
def test_a_bar_is_told_what_is_done_besides_or_in_all(kind, monkeypatch):
    stderr = stands_for_stderr(kind, monkeypatch)
    with bar('reading', 10) as done:
        done(4)
        done.reach(10)
    with bars(hidden=True) as begin:
        begin('hidden', 5)(5)
    text = stderr.getvalue()
    assert 'hidden' not in text and ('10/10' in text) == stderr.isatty()
