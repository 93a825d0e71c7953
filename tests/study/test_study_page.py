"""The page of a study in a real browser, light and dark, and on a phone."""
import made_up
import pytest

from mlaface.study.findings import find
from mlaface.study.report import write_report


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """The page of a made-up study, in which a run diverged and one is missing."""
    folder = tmp_path_factory.mktemp('page')
    plan = made_up.make_plan(folder)
    made_up.write_study(plan, folder, same=dict(diverged=True, until=60))
    (folder / 'out' / 'runs' / 'slow@seed6.json').unlink()
    (folder / 'out' / 'runs' / 'dear@seed1.npz').unlink()
    return write_report(find(plan, folder / 'out', ['<b>mixed</b>']), folder / 'out')


@pytest.mark.parametrize('scheme, ground', [('light', (248, 250, 252)), ('dark', (15, 23, 42))])
def test_page_shows_everything_without_network(browser, written, scheme, ground):
    page = browser.new_page(viewport=dict(width=1200, height=900), color_scheme=scheme)
    complaints, requests = [], []
    page.on('console', lambda message: complaints.append(message.text))
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('request', lambda request: requests.append(request.url))
    page.goto(written.as_uri())
    assert requests == [written.as_uri()] and complaints == []
    assert page.evaluate('getComputedStyle(document.body).backgroundColor') == f'rgb{ground}'
    assert page.locator('.forest').count() == 3 and page.locator('.forest').first.locator('.comparison').count() == 4
    assert page.locator('.curve').count() == 3 * 5 + 4 * 2 and page.locator('.band').count() == 4 * 2
    verdicts = page.locator('#verdicts').inner_text()
    assert 'better - plain: is better' in verdicts and 'better over plain' in verdicts
    assert 'slow - plain: is not told apart' in verdicts and 'would have been seen in 80%' in verdicts
    warnings = ' '.join(page.locator('.warning').all_inner_texts())
    assert 'same@seed1 diverged' in warnings and 'slow@seed6' in warnings and '<b>mixed</b>' in warnings
    assert 'Runs without scores of their pairs, whose comparisons take the pairs as given: dear@seed1.' in warnings
    page.locator('.curve').first.hover(force=True)
    page.close()


def test_nothing_is_wider_than_a_phone(browser, written):
    page = browser.new_page(viewport=dict(width=390, height=800))
    page.goto(written.as_uri())
    assert page.evaluate('document.documentElement.scrollWidth') <= 390
    page.close()
