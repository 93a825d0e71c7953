"""The report in a real browser: content, hovering, sorting, tabs, and not one request beyond the page."""
import csv
import re

import numpy as np
import pytest

from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.protocols.registered import open_protocol
from mlaface.evaluation.report.axis import Axis
from mlaface.evaluation.report.curves import det_line, roc_line
from mlaface.evaluation.report.data import collect
from mlaface.evaluation.report.page import write_report
from mlaface.evaluation.report.styles import style_of
from mlaface.evaluation.results.certainty import compare_samples
from mlaface.evaluation.suite import Suite


@pytest.fixture(scope='module')
def report(official, tmp_path_factory):
    """A report of two models on CFP: two benchmarks with images."""
    suite = open_protocol('cfp', official('cfp'))
    found = [evaluate(CallableNetwork(name), suite) for name in ('toy_networks:grid', 'toy_networks:coarse')]
    compared = compare_samples(*(evaluation.sample('cfp_ff') for evaluation in found), resamples=50)
    found[0].result['comparisons'] = [dict(benchmarks=dict(cfp_ff=compared))]
    return write_report(found, tmp_path_factory.mktemp('report'), hardest=3), found


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
    assert page.locator('[data-panel="1"] circle:has(title)').count() == 20
    pictures = page.locator('[data-panel="1"] .pair img')
    assert pictures.count() == 2 * 2 * 3 * 2  # models, kinds of error, pairs, images
    assert pictures.evaluate_all('all => all.every(one => one.complete && one.naturalWidth === 112)')


@pytest.mark.slow
def test_wrong_decisions_are_marked_by_the_models_own_threshold(page, report):
    metrics = report[1][0].result['benchmarks']['cfp_ff']['metrics']
    cosine, issame = report[1][0].curves('cfp_ff')['']
    wrong = (np.sort(cosine[~issame])[-3:] > metrics['threshold']['value']).sum()
    assert page.locator('[data-panel="1"] .pairs').first.locator('.error').count() == wrong


def test_tabs_switch_benchmarks(page):
    assert page.locator('[data-panel="1"]').is_visible() and not page.locator('[data-panel="2"]').is_visible()
    page.get_by_role('tab', name='cfp_fp').click()
    assert page.locator('[data-panel="2"]').is_visible() and not page.locator('[data-panel="1"]').is_visible()


def test_tabs_follow_the_arrow_keys(page):
    page.get_by_role('tab', name='cfp_ff').press('ArrowLeft')  # round to the last
    assert page.locator('[data-panel="2"]').is_visible()
    assert page.evaluate('document.activeElement.textContent') == 'cfp_fp'
    page.keyboard.press('Home')
    assert page.locator('[data-panel="1"]').is_visible() and page.get_by_role('tabpanel').count() == 1


def test_a_column_sorts_both_ways_by_number_within_its_benchmark(page):
    for down in (False, True):
        page.get_by_role('button', name='toy_networks:coarse').press('Enter')
        for body in page.locator('#numbers tbody').all():
            assert 'group' in body.locator('tr').first.get_attribute('class')
            shown = [float(text.split()[0]) for text in body.locator('td:nth-child(3)').all_inner_texts()]
            assert len(shown) > 5 and shown == sorted(shown, reverse=down)


def test_print_shows_every_benchmark(page):
    page.emulate_media(media='print')
    assert page.locator('[data-panel="2"]').is_visible() and not page.get_by_role('tab', name='cfp_fp').is_visible()
    assert page.get_by_role('heading', name='cfp_fp').is_visible()


def test_the_dark_page_is_dark_and_its_text_light(page):
    page.emulate_media(color_scheme='dark')
    for place, style, light in (('body', 'backgroundColor', False), ('h1', 'color', True),
                                ('.chart .axis >> nth=0', 'fill', True), ('#numbers td >> nth=0', 'color', True)):
        color = page.locator(place).evaluate(f'node => getComputedStyle(node).{style}')
        assert (min(map(int, re.findall(r'\d+', color)[:3])) > 150) == light


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


HOSTILE = ('<img src=x onerror=alert(1)>"', "'><script>alert(2)</script>", '../../$x^', '_$\\frac{' + 'x' * 80)


def test_names_cannot_inject_markup_formulas_or_folders(official, browser, tmp_path):
    suite = open_protocol('lfw', official('lfw'))
    suite.benchmarks['lfw']['names'] = [HOSTILE[0]] * suite.benchmarks['lfw']['images']
    suite.benchmarks[HOSTILE[1]] = suite.benchmarks['lfw']
    suite.benchmarks[HOSTILE[2]] = suite.benchmarks.pop('lfw')
    found = [evaluate(CallableNetwork(f'toy_networks:{kind}'), suite) for kind in ('grid', 'coarse')]
    found[0].result['comparisons'] = [dict(benchmarks={})]
    for evaluation, name in zip(found, (HOSTILE[3], HOSTILE[0])):
        evaluation.result['model']['name'], evaluation.result['model']['file'] = name, None
    path = write_report(found, tmp_path / 'in' / 'side', hardest=1)
    assert {entry.name for entry in tmp_path.rglob('*') if entry.parent != path.parent} == {'in', 'side'}
    opened, complaints = browser.new_page(viewport=dict(width=390, height=800)), []
    opened.on('dialog', lambda dialog: complaints.append(dialog.message) or dialog.dismiss())
    opened.on('pageerror', lambda error: complaints.append(str(error)))
    opened.goto(path.as_uri())
    text = opened.locator('#numbers').inner_text()
    assert all(name in text for name in HOSTILE) and not complaints
    assert opened.evaluate('document.documentElement.scrollWidth') <= 390
    assert opened.locator('img[src=x]').count() == 0 and opened.locator('script').count() == 1
    opened.close()


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


@pytest.mark.slow
def test_groups_and_more_than_two_models_are_drawn_apart(official, tmp_path):
    suite = open_protocol('rfw', official('rfw'))
    found = [evaluate(CallableNetwork(f'toy_networks:{name}'), suite) for name in ('grid', 'coarse', 'third_only')]
    text = write_report(found, tmp_path).read_text()
    assert text.count('class="curve"') == 2 * 3 * 4
    with open(tmp_path / 'rfw_roc.csv') as file:
        assert len({row['model'] for row in csv.DictReader(file)}) == 12
    assert len(list(tmp_path.glob('rfw_scores*.png'))) == 12


def test_hardest_pairs_of_groups_and_of_templates_are_shown(official, tmp_path):
    for name, groups in (('rfw', 4), ('ijbc', 1)):
        suite = open_protocol(name, official(name))
        found = evaluate(CallableNetwork('toy_networks:grid'), suite)
        benchmark = collect([found], 2)['benchmarks'][0]
        assert len(benchmark['hardest']) == 2 * groups
        scored = list(found.curves(name).values())
        for number, part in enumerate(benchmark['hardest']):
            cosine, issame = scored[number // 2]
            extreme = np.sort(cosine[issame])[:2] if number % 2 else np.sort(cosine[~issame])[::-1][:2]
            assert [pair['score'] for pair in part['pairs']] == extreme.tolist()
        assert 'African: different' in benchmark['hardest'][0]['title'] or name == 'ijbc'
    pair, entry = benchmark['hardest'][1]['pairs'][0], suite.benchmarks['ijbc']
    worst = np.flatnonzero(entry['issame'])[np.argmin(cosine[issame])]
    assert pair['label'] == f'templates {entry["first"][worst]} and {entry["second"][worst]}'
    assert pair['names'][0] == entry['names'][np.flatnonzero(entry['templates'] == entry['first'][worst])[0]]


def test_precomputed_embeddings_have_curves_and_no_pictures(tmp_path):
    draw = np.random.default_rng(0)
    first, issame = draw.normal(size=(60, 8)), np.arange(60) % 2 == 0
    second = draw.normal(size=(60, 8)) + 3 * first * issame[:, None]
    suite = Suite(None, dict(e=dict(protocol='pairs', start=0, images=120, issame=issame)),
                  np.stack([first, second], 1).reshape(120, 8))
    text = write_report([evaluate(None, suite)], tmp_path).read_text()
    assert text.count('<svg') == 4 and '<img' not in text and 'precomputed embeddings' in text


def test_curves_begin_with_the_best_point_without_a_false_accept_and_end_where_no_miss_is_left():
    curve = dict(far=[0, 0, 0.25, 0.5, 1], tar=[0, 0.5, 0.5, 1, 1], miss=[1, 0.5, 0.5, 0, 0], threshold=[5, 4, 3, 2, 1])
    roc, det = roc_line(curve, 0.1), det_line(curve, 0.1, 0.01)
    assert (roc['x'], roc['y']) == ([0.1, 0.25, 0.5, 1], [0.5, 0.5, 1, 1])
    assert (det['x'], det['y'], det['rows']) == ([0.1, 0.25, 0.5], [0.5, 0.5, 0.01], [1, 2, 3])


def test_styles_beyond_the_colors_differ_by_dashes():
    assert len({style_of(number) for number in range(20)}) == 20


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
