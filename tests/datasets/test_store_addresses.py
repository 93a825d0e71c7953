"""Addresses in a store: joined as paths are, never with a way out, and never a secret in a message."""
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlaface.datasets.stores.address import OPTIONS, StoreAddress, StoreSettings, is_address, plain_part, store_address
from mlaface.utils.errors import InputError

PART = st.text(string.ascii_letters + string.digits + '_-. ', min_size=1, max_size=8).filter(
    lambda part: part not in ('.', '..'))
ROOT = StoreAddress('https://host.test/sets')


@given(st.lists(PART, min_size=1, max_size=4))
def test_a_part_lies_below_and_its_folder_is_where_it_came_from(parts):
    address = ROOT
    for part in parts:
        below = address / part
        assert below.parent == address and below.name == part and below.url.startswith(f'{ROOT}/')
        address = below
    assert str(ROOT / '/'.join(parts)) == str(address) and address.settings is ROOT.settings


@pytest.mark.parametrize('name', ['', '..', 'a/../b', '/etc/passwd', 'a//b', 'http://other.test/x', 'a?b', 'a#b',
                                  'a\\b', 'a\nb', './a', 'a/', 'C:x'])
def test_a_name_that_leads_elsewhere_is_not_followed(name):
    with pytest.raises(InputError, match='is no name of a file below it'):
        plain_part(name, ROOT)
    with pytest.raises(InputError):
        ROOT / name


@given(st.text(string.ascii_letters + string.digits + '%+.', min_size=6, max_size=12), st.sampled_from([
    'https://user:{0}@host.test/x', 'https://{0}@host.test/x', 's3://bucket/x?key={0}', 'https://host.test/x#{0}',
    'https://user:{0}@[broken/x', 'ftp://user:{0}@host.test']))
def test_what_may_be_secret_is_refused_and_not_shown(secret, form):
    secret += 'zq'  # which no word of a message has
    with pytest.raises(InputError) as error:
        store_address(form.format(secret))
    assert secret not in str(error.value) and str(error.value)
    with pytest.raises(InputError) as error:
        store_address(dict(address='s3://bucket/x', options=dict(endpoint_url=form.format(secret))))
    assert secret not in str(error.value)


@pytest.mark.parametrize('stated, message', [
    (dict(address='s3://b/x', secret='hush'), 'secret: a store takes address'),
    (dict(address='s3://b/x', options=dict(key='hush')), 'its options are ' + ', '.join(OPTIONS)),
    (dict(block_kb=4), 'given as address=..., not NoneType'), (dict(address=3), 'not int'),
    ('https:///x', 'names no host or bucket'), ('gs://bucket/x', 'gs:// is no store')])
def test_what_a_store_does_not_take_is_named(stated, message):
    with pytest.raises(InputError) as error:
        store_address(stated)
    assert message in str(error.value) and 'hush' not in str(error.value)


@pytest.mark.parametrize('settings, message', [
    (dict(timeout=0), 'timeout is 0; it must be a number above 0'), (dict(pause=-1), 'pause is -1'),
    (dict(attempts=True), 'attempts is True'), (dict(attempts=2.5), 'must be whole numbers'),
    (dict(block_kb='1'), "block_kb is '1'"), (dict(timeout=float('nan')), 'timeout is nan'),
    (dict(cache_gb=0.001, block_kb=1024), 'holds no 16 blocks of 1024 KiB')])
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        StoreSettings(**settings)


def test_the_cache_is_as_large_as_the_environment_says(monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE_GB', '2.5')
    assert StoreSettings().limit == 2_500_000_000 and StoreSettings(cache_gb=1).limit == 10 ** 9
    monkeypatch.setenv('MLAFACE_CACHE_GB', 'much')
    with pytest.raises(InputError, match="MLAFACE_CACHE_GB is 'much'"):
        StoreSettings()
    monkeypatch.delenv('MLAFACE_CACHE_GB')
    assert StoreSettings().limit == 50 * 10 ** 9


@pytest.mark.parametrize('path, expected', [('s3://b/x', True), ('HTTPS://h/x', True), ('weird+x://y', True),
                                            ('data/ms1mv3', False), ('/s3:/x', False), ('C:/data', False),
                                            (None, False), (dict(address='s3://b/x'), True), (ROOT, True)])
def test_an_address_is_told_from_a_path(path, expected):
    assert is_address(path) == expected


def test_an_ending_is_changed_and_a_scheme_is_written_small():
    address = store_address('HTTPS://Host.test/sets/train.rec/')
    assert address.url == 'https://Host.test/sets/train.rec' and address.scheme == 'https'
    assert address.suffix == '.rec' and address.with_suffix('.idx').name == 'train.idx'
    assert store_address(address) is address
    stated = store_address(dict(address='s3://b/x', block_kb=4, options=dict(anon=True)))
    assert stated.settings.block == 4096 and stated.settings.options == (('anon', True),)
