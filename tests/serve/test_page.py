"""The page in a real browser, used: photographs dropped, a verdict, people enrolled, found, deleted, by keyboard."""
import base64
import re

import numpy as np
import pytest

from mlaface.serve.keys import Keys, digest_of
from tests.serve.served import encoded, png, served

DROP = """(place, data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], 'face.png', {type: 'image/png'}));
  place.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


@pytest.fixture
def opened(browser, running, tmp_path):
    """Opens the page of an application; gives the page, with its requests and complaints."""
    pages = []

    def open_page(viewport=(1000, 900), app=None, **settings):
        app = app or served(tmp_path / 'galleries', **settings)
        url = running(app).url
        page = browser.new_page(viewport=dict(width=viewport[0], height=viewport[1]))
        page.complaints, page.requests, page.url_of = [], [], url
        page.on('console', lambda message: page.complaints.append(message.text))
        page.on('pageerror', lambda error: page.complaints.append(str(error)))
        page.on('request', lambda request: page.requests.append(request.url))
        page.on('filechooser', lambda _: None)  # switched on late, some are missed
        page.goto(url)
        pages.append(page)
        return page
    yield open_page
    for page in pages:
        page.close()


def drop(page, place, data):
    page.locator(f'{place} .frame').evaluate(DROP, base64.b64encode(data).decode())


def verdict(page, part):
    found = page.locator(f'#{part}-result .verdict')
    found.wait_for(timeout=10_000)
    return found.inner_text()


def choose(page, place, data):
    page.locator(f'{place} input').set_input_files(dict(name='x.png', mimeType='image/png', buffer=data))


def test_two_photographs_are_dropped_and_compared(opened, drawn):
    page = opened()
    drop(page, '#first', png(drawn[0][0]))
    drop(page, '#second', png(drawn[0][1], drawn[1][0]))
    first = verdict(page, 'compare')
    assert first in ('Same person', 'Different people')
    assert page.locator('#compare-result').get_attribute('aria-live') == 'polite'
    assert page.locator('#first .box').count() == page.locator('#second .box').count() == 1
    assert page.locator('#first .point').count() == 5
    assert '2 faces; the largest was taken' in page.locator('#second .note').inner_text()
    assert page.locator('.crop img:not(.overlay)').evaluate_all('all => all.every((one) => one.naturalWidth === 112)')
    assert page.locator('#scores .score').count() == 1 and page.locator('#scores .limit').count() == 1
    assert 'one in 1,000 pairs' in page.locator('#scores figcaption').inner_text()
    assert page.locator('#attention').is_hidden()
    choose(page, '#second', png(drawn[0][0]))
    page.locator('#compare-result', has_text='Cosine 1.000').wait_for()
    assert verdict(page, 'compare') == 'Same person'
    assert all(request.startswith((page.url_of, 'data:', 'blob:')) for request in page.requests)
    assert page.complaints == []


def test_the_score_lies_among_the_scores_of_the_calibration(opened, drawn, tmp_path):
    app = served(tmp_path)
    edges = np.linspace(-1, 1, 81)
    spread = {name: np.exp(-(edges[:-1] - center) ** 2 / 0.02).tolist()
              for name, center in (('same', .8), ('different', .2))}
    inferencer = app.app.state.service.inferencer
    inferencer.calibration = {**inferencer.calibration, 'scores': dict(edges=edges.tolist(), **spread)}
    page = opened(app=app)
    for place in ('#first', '#second'):
        drop(page, place, png(drawn[0][0]))
    verdict(page, 'compare')
    right, left = (float(page.locator(f'#scores .name-{name}').get_attribute('x')) for name in ('same', 'other'))
    score = float(page.locator('#scores .score').get_attribute('x1'))
    assert left < right < score and page.locator('#scores path').count() == 2


def test_without_a_threshold_the_page_says_so(opened, drawn):
    page = opened(calibrated=False)
    for place in ('#first', '#second'):
        drop(page, place, png(drawn[0][0]))
    assert verdict(page, 'compare') == 'Cosine 1.000'
    assert 'No verdict: grid is no file' in page.locator('#compare-result').inner_text()
    assert 'is not known' in page.locator('#scores').inner_text()


def test_attention_is_laid_over_the_crops_where_there_is_some(opened, drawn):
    page = opened(attention=lambda crop: {'7 x 7': np.eye(7), 'patches': np.ones((7, 7))})
    for place in ('#first', '#second'):
        drop(page, place, png(drawn[0][0]))
    verdict(page, 'compare')
    assert page.locator('.overlay:visible').count() == 0
    page.get_by_label('7 x 7').check()
    assert page.locator('.overlay:visible').count() == 2
    assert page.locator('.overlay').first.evaluate('image => image.decode().then(() => image.naturalWidth)') == 112


def test_people_are_enrolled_identified_and_deleted_by_keyboard_alone(opened, drawn):
    page = opened()
    page.locator('#work').wait_for()

    def tab_to(selector):
        for _ in range(30):
            if page.evaluate('(wanted) => document.activeElement.matches(wanted)', selector):
                return
            page.keyboard.press('Tab')
        raise AssertionError(f'{selector} is not reached')

    def take(place, data):
        tab_to(f'{place} .choose')
        with page.expect_file_chooser() as chooser:
            page.keyboard.press('Enter')
        chooser.value.set_files(dict(name='x.png', mimeType='image/png', buffer=data))
        page.locator(f'{place} .frame.full').wait_for()
    tab_to('#tab-compare')
    page.keyboard.press('End')
    tab_to('#name')
    page.keyboard.type('<b>Ann</b> Lee')
    take('#known', png(drawn[0][0]))
    tab_to('#enroll-go')
    page.keyboard.press('Enter')
    assert verdict(page, 'enroll') == '<b>Ann</b> Lee is enrolled'
    assert page.locator('#people li').inner_text().split('\n')[0] == '<b>Ann</b> Lee'
    page.locator('#tab-enroll').focus()
    page.keyboard.press('ArrowLeft')
    take('#unknown', png(drawn[0][0], drawn[3][0]))
    assert verdict(page, 'identify') == '<b>Ann</b> Lee'
    assert page.locator('#unknown .box').count() == 2
    assert page.locator('#unknown .tag').inner_html() == '&lt;b&gt;Ann&lt;/b&gt; Lee'
    assert page.locator('#identify-faces b').all_inner_texts() == ['<b>Ann</b> Lee', 'not known']
    page.locator('#tab-identify').focus()
    page.keyboard.press('ArrowRight')
    page.get_by_role('button', name='Delete <b>Ann</b> Lee').wait_for()
    tab_to('#people button')
    page.keyboard.press('Enter')
    assert page.evaluate("document.activeElement.id") == 'sure-no'
    tab_to('#sure-yes')
    page.keyboard.press('Enter')
    assert verdict(page, 'enroll') == '<b>Ann</b> Lee is deleted'
    assert page.locator('#people').inner_text() == 'Nobody yet.' and page.complaints == []


def test_a_photograph_is_taken_by_the_camera(opened):
    page = opened()
    page.locator('#first .shoot').click()
    page.locator('#camera-take:not([disabled])').wait_for()
    page.locator('#camera-take').click()
    page.locator('#first .frame.full').wait_for()
    assert page.locator('#camera').is_hidden()
    assert page.locator('#camera-view').evaluate('view => view.srcObject === null')


def test_what_goes_wrong_is_said(opened, drawn):
    page = opened()
    drop(page, '#first', b'no image')
    page.locator('#first .note', has_text='is no image').wait_for()
    drop(page, '#first', png(np.zeros((112, 112, 3), np.uint8)))
    drop(page, '#second', png(drawn[0][0]))
    page.locator('#compare-result.failed').wait_for()
    assert 'no face in first' in page.locator('#compare-result').inner_text()
    large = np.zeros((1500, 1500, 3), np.uint8)
    large[:112, :112] = drawn[0][0]
    drop(page, '#first', encoded(large, 'BMP'))  # 6.8 MB, written as JPEG before it is sent
    assert verdict(page, 'compare') in ('Same person', 'Different people')


def test_a_key_is_asked_for_and_opens_its_gallery(opened, drawn):
    page = opened(keys=Keys(f'ann:sha256:{digest_of("right")}:read'))
    for given in ('wrong', 'right'):
        page.locator('#key').fill(given)
        page.keyboard.press('Enter')
        if given == 'wrong':
            page.locator('#unlock-said', has_text='not known').wait_for()
    page.locator('#work').wait_for()
    page.locator('#tab-enroll').click()
    assert page.locator('#name').is_hidden() and 'may only read' in page.locator('#enroll-result').inner_text()
    assert page.evaluate('localStorage.length + sessionStorage.length + document.cookie.length') == 0


def test_dark_and_narrow(opened, drawn):
    page = opened(viewport=(360, 700))
    for place in ('#first', '#second'):
        drop(page, place, png(drawn[0][0]))
    verdict(page, 'compare')
    for tab in ('#tab-compare', '#tab-identify', '#tab-enroll'):
        page.locator(tab).click()
        assert page.evaluate('document.documentElement.scrollWidth') <= 360
    page.emulate_media(color_scheme='dark')
    for place, style, light in (('body', 'backgroundColor', False), ('h1', 'color', True),
                                ('#tab-enroll', 'color', True)):
        color = page.locator(place).evaluate(f'node => getComputedStyle(node).{style}')
        assert (min(map(int, re.findall(r'\d+', color)[:3])) > 150) == light


def test_the_document_of_the_endpoints_is_a_page(opened):
    page = opened(viewport=(360, 700))
    page.goto(f'{page.url_of}/docs')
    assert page.get_by_role('heading', name='POST /v1/compare').is_visible() and page.complaints == []
    assert page.evaluate('document.documentElement.scrollWidth') <= 360
