"""The report in a real browser: content, hovering, sorting, tabs, and not one request beyond the page."""
import csv
import os
import re
import shutil

import numpy as np
import pytest

from mlaface.evaluation.certainty import compare_samples
from mlaface.evaluation.networks import CallableNetwork
from mlaface.evaluation.protocols.registry import open_protocol
from mlaface.evaluation.report.charts import Axis
from mlaface.evaluation.report.page import write_report
from mlaface.evaluation.run import evaluate


@pytest.fixture(scope='module')
def report(official, tmp_path_factory):
    """A report of two models on CFP: two benchmarks with images."""
    suite = open_protocol('cfp', official('cfp'))
    found = [evaluate(CallableNetwork(name), suite) for name in ('toy_networks:grid', 'toy_networks:coarse')]
    compared = compare_samples(*(evaluation.sample('cfp_ff') for evaluation in found), resamples=50)
    found[0].result['comparisons'] = [dict(benchmarks=dict(cfp_ff=compared))]
    return write_report(found, tmp_path_factory.mktemp('report'), hardest=3), found


@pytest.fixture(scope='module')
def browser():
    """Headless Chromium; skips where there is none, unless everything is required."""
    program = next((shutil.which(name) for name in ('chromium', 'chromium-browser', 'google-chrome')
                    if shutil.which(name)), None)
    if program is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), 'Chromium is required: apt-get install chromium'
        pytest.skip('no Chromium')
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])
        yield started
        started.close()


@pytest.fixture
def page(browser, report):
    """The opened report, with its requests and complaints."""
    opened = browser.new_page(viewport=dict(width=1200, height=900))
    opened.complaints, opened.requests = [], []
    opened.on('console', lambda message: opened.complaints.append(message.text))
    opened.on('pageerror', lambda error: opened.complaints.append(str(error)))
    opened.on('request', lambda request: opened.requests.append(request.url))
    opened.goto(report[0].as_uri())
    yield opened
    opened.close()


def test_page_shows_every_number_without_network(page, report):
    _, found = report
    text = page.locator('#numbers').inner_text()
    for evaluation in found:
        for entry in evaluation.result['benchmarks'].values():
            assert f'{entry["metrics"]["accuracy"]["value"]:.4f}' in text
            assert f'{entry["metrics"]["tar_at_far"]["1e-2"]["value"]:.4f}' in text
    assert 'flip sum, norm l2, distance squared_l2, folds 10, far_rule strict' in text
    assert page.requests == [report[0].as_uri()]
    assert page.complaints == []


def test_charts_and_pairs_are_drawn(page):
    titles = page.locator('[data-panel="1"] figcaption').all_inner_texts()
    assert titles == ['ROC', 'DET', 'Scores: toy_networks:grid', 'Scores: toy_networks:coarse', 'Accuracy by fold']
    assert page.locator('[data-panel="1"] .curve').count() == 4
    assert page.locator('[data-panel="1"] circle').count() == 20
    pictures = page.locator('[data-panel="1"] .pair img')
    assert pictures.count() == 2 * 2 * 3 * 2  # models, kinds of error, pairs, images
    assert pictures.evaluate_all('all => all.every(one => one.complete && one.naturalWidth === 112)')


def test_wrong_decisions_are_marked_by_the_models_own_threshold(page, report):
    metrics = report[1][0].result['benchmarks']['cfp_ff']['metrics']
    cosine, issame = report[1][0].curves('cfp_ff')['']
    wrong = (np.sort(cosine[~issame])[-3:] > metrics['threshold']['value']).sum()
    assert page.locator('[data-panel="1"] .pairs').first.locator('.error').count() == wrong


def test_tabs_switch_benchmarks(page):
    assert page.locator('[data-panel="1"]').is_visible() and not page.locator('[data-panel="2"]').is_visible()
    page.get_by_role('tab', name='cfp_fp').click()
    assert page.locator('[data-panel="2"]').is_visible() and not page.locator('[data-panel="1"]').is_visible()


def test_a_column_sorts_both_ways_by_number(page):
    head = page.locator('#numbers th').nth(2)
    for down in (False, True):
        head.click()
        shown = [float(text.split()[0]) for text in page.locator('#numbers tbody td:nth-child(3)').all_inner_texts()]
        assert shown == sorted(shown, reverse=down)


def test_hovering_tells_the_nearest_point(page):
    assert page.locator('#tip').is_hidden()
    page.locator('.chart').first.hover(position=dict(x=250, y=150))
    text = page.locator('#tip').inner_text()
    assert re.search(r'toy_networks:\w+\nFAR \S+  TAR 0\.\d{4}  cosine', text)


def test_nothing_is_wider_than_a_phone(browser, report):
    phone = browser.new_page(viewport=dict(width=390, height=800))
    phone.goto(report[0].as_uri())
    assert phone.evaluate('document.documentElement.scrollWidth') <= 390
    phone.close()


def test_figures_and_their_numbers_stand_beside_the_page(report):
    folder, found = report[0].parent, report[1]
    names = {path.name for path in folder.iterdir()}
    for name in ('cfp_ff', 'cfp_fp'):
        assert {f'{name}_{kind}.png' for kind in ('roc', 'det', 'scores', 'folds')} <= names
    with open(folder / 'cfp_ff_folds.csv') as file:
        rows = list(csv.DictReader(file))
    expected = found[0].result['benchmarks']['cfp_ff']['metrics']['accuracy']['folds']
    assert [float(row['accuracy']) for row in rows[:10]] == expected
    assert (folder / 'cfp_ff_roc.png').read_bytes().startswith(b'\x89PNG')


def test_names_cannot_inject_markup(official, tmp_path):
    suite = open_protocol('lfw', official('lfw'))
    found = evaluate(CallableNetwork('toy_networks:grid'), suite)
    found.result['model']['name'], found.result['model']['file'] = '<img src=x onerror=alert(1)>"', None
    text = write_report([found], tmp_path).read_text()
    assert '<img src=x' not in text and '&lt;img src=x' in text


def test_search_is_drawn_by_gallery_and_called_by_its_words(official, tmp_path):
    suite = open_protocol('ijbc', official('ijbc'))
    found = evaluate(CallableNetwork('toy_networks:grid'), suite)
    text = write_report([found], tmp_path).read_text()
    assert 'false negative identification rate' in text and 'FPIR' in text
    with open(tmp_path / 'ijbc_1n_roc.csv') as file:
        rows = list(csv.DictReader(file))
    assert {row['model'] for row in rows} == {'G1', 'G2'}
    best, mated = found.curves('ijbc_1n')['G1']
    for row in rows:
        if row['model'] == 'G1':
            accepted = best >= float(row['threshold'])
            assert float(row['far']) == accepted[~mated].mean() and float(row['tar']) == accepted[mated].mean()


def test_groups_and_more_than_two_models_are_drawn_apart(official, tmp_path):
    suite = open_protocol('rfw', official('rfw'))
    found = [evaluate(CallableNetwork(f'toy_networks:{name}'), suite) for name in ('grid', 'coarse', 'third_only')]
    text = write_report(found, tmp_path).read_text()
    assert text.count('class="curve"') == 2 * 3 * 4
    with open(tmp_path / 'rfw_roc.csv') as file:
        assert len({row['model'] for row in csv.DictReader(file)}) == 12
    assert len(list(tmp_path.glob('rfw_scores*.png'))) == 12


def test_report_of_numbers_only(official, tmp_path):
    found = evaluate(CallableNetwork('toy_networks:grid'), open_protocol('tinyface', official('tinyface')))
    text = write_report([found], tmp_path).read_text()
    assert 'rank-20' in text and '<svg' not in text


@pytest.mark.parametrize('ends, log, labels', [((0, 1), False, ['0', '0.2', '0.4', '0.6', '0.8', '1']),
                                               ((1e-3, 1), True, ['1e-3', '1e-2', '1e-1', '1'])])
def test_ticks(ends, log, labels):
    axis = Axis(*ends, 0, 100, log)
    assert [text for _, text in axis.ticks()] == labels
    assert axis.place(ends[0]) == 0 and axis.place(ends[1]) == 100
    assert axis.place(-5) == 0
