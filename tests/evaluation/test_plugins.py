"""What holds for every registered protocol and kind of network, and what the command says of them."""
import inspect
import json

import numpy as np
import pytest

from mlaface.cli.test import main
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.synthetic.official import draw
from mlaface.evaluation.embeddings.table import EmbeddingTable
from mlaface.evaluation.evaluate import evaluate, measure
from mlaface.evaluation.networks.base import Network, kind_of
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.protocols.base import Protocol
from mlaface.evaluation.protocols.registered import open_protocol, openable_protocols, option_table, taken_options
from mlaface.evaluation.results.certainty import values_of
from mlaface.evaluation.results.tables import counts_text, entry_rows
from mlaface.registry import NETWORKS, PROTOCOLS

NETWORK = 'toy_networks:grid'


@pytest.mark.parametrize('cls', sorted(set(PROTOCOLS.classes().values()), key=lambda cls: cls.name))
def test_every_protocol_states_what_it_takes(cls):
    stated = {*cls.options, *(['compat'] if cls.compats else [])}
    assert set(taken_options(cls)) - {'compat'} <= stated and PROTOCOLS.get(cls.name) is cls and cls.summary()
    for name, option in cls.options.items():
        if name in taken_options(cls) and option.choices:
            with pytest.raises(ValueError, match=name):
                PROTOCOLS.build(dict(type=cls.name, **{name: 'nonsense'}))
    for published in cls.published.values():
        assert all(isinstance(count, int) and count > 0 for count in published.values())


@pytest.mark.parametrize('kind', NETWORKS.classes())
def test_every_kind_of_network_keeps_the_contract(kind):
    cls = NETWORKS.get(kind)
    assert issubclass(cls, Network) and list(inspect.signature(cls).parameters)[1:3] == ['device', 'options']
    assert not cls.accepts('no/such/file.anything')


@pytest.mark.parametrize('name', openable_protocols())
def test_help_shows_the_options_and_lists_the_protocol(name, capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    said = capsys.readouterr().out
    assert all(f'--{option.replace("_", "-")} ' in said for option in openable_protocols()[name].options)
    main(['--protocol'])
    assert f'\n{name} ' in '\n' + capsys.readouterr().out


def test_options_of_all_protocols_are_joined():
    option, takers = option_table()['compat']
    assert option.choices == ('insightface', 'tinyface') and 'rfw' in takers
    assert 'lfw' not in option_table()['quality'][1] and option_table()['search'][1][0] == 'ijbb'


@pytest.mark.parametrize('arguments, message', [
    (['--protocol', 'lwf', '--data-root', '{}'], "no protocol 'lwf'; did you mean 'lfw'"),
    (['--protocol', 'lfw'], '--protocol lfw needs --data-root'),
    (['--protocol', 'lfw', '--data-root', '{}', '--quality', 'none'], 'quality: not an option of pairs. It takes c'),
])
def test_what_is_no_protocol_or_option_is_refused(official, arguments, message):
    with pytest.raises(SystemExit, match=f'error: {message}'):
        main([NETWORK, *(argument.format(official('lfw')) for argument in arguments)])


def test_a_name_that_two_kinds_take_is_an_error():
    class Greedy(Network):
        accepts = classmethod(lambda cls, name: True)
    NETWORKS.register_module('greedy', module=Greedy)
    try:
        with pytest.raises(ValueError, match='several kinds of networks: function, greedy'):
            kind_of('module:function')
        assert kind_of('anything') is Greedy
    finally:
        NETWORKS.module_dict.pop('greedy')


def test_pairs_that_are_listed_again_are_counted_and_warned_of(tmp_path, capsys):
    faces = draw(20, 2)
    pairs = [(faces[k][0], faces[(k + shift) % 20][1]) for k in range(20) for shift in (0, 1)]
    pairs[4], pairs[11] = pairs[2], pairs[9][::-1]  # again, and the other way round
    write_bin(tmp_path / 'again.bin', [image for pair in pairs for image in pair], [True, False] * 20)
    main([NETWORK, '--sets', str(tmp_path / 'again.bin')])
    assert 'again: 2 pairs are listed again' in ' '.join(capsys.readouterr().err.split())


def test_templates_that_are_compared_again_are_counted(official):
    suite = open_protocol('ijbc', official('ijbc'))
    entry = suite.benchmarks['ijbc']
    entry['second'] = entry['second'].copy()
    first = np.flatnonzero(~entry['issame'])[:2]
    entry['first'][first[1]], entry['second'][first[1]] = entry['second'][first[0]], entry['first'][first[0]]
    counts = evaluate(CallableNetwork(NETWORK), suite).result['benchmarks']['ijbc']['counts']
    assert counts['duplicate_pairs'] == 1


def test_a_set_that_is_not_the_published_one_is_warned_of(official, capsys):
    main([NETWORK, '--protocol', 'lfw', '--data-root', str(official('lfw'))])
    said = ' '.join(capsys.readouterr().err.split())
    assert 'lfw has 40 pairs, and 6,000 are published' in said


@pytest.mark.parametrize('pairs', [40, 43])
def test_accuracy_and_its_interval_are_one_quantity_in_folds_of_any_sizes(pairs):
    """43 pairs in 10 folds: the mean over folds is not the mean over pairs."""
    rng = np.random.default_rng(0)
    issame = np.arange(pairs) % 2 == 0
    first = rng.normal(size=(pairs, 6))
    second = rng.normal(size=(pairs, 6)) + first * issame[:, None]
    rows = np.stack([first, second], axis=1).reshape(-1, 6).astype(np.float32)
    benchmark = dict(protocol='pairs', start=0, images=2 * pairs, issame=issame, folds=10)
    found = measure(dict(x=benchmark), EmbeddingTable.of(rows), bootstrap=20)
    everyone = values_of(found.sample('x').numbers(np.ones(pairs, int)))
    accuracy = found.entries['x']['metrics']['accuracy']
    assert everyone['metrics', 'accuracy'] == pytest.approx(accuracy['value'], abs=1e-12)
    assert accuracy['value'] == pytest.approx(np.mean(accuracy['folds']), abs=1e-12)


def test_numbers_of_numpy_that_a_protocol_gives_are_in_the_table_and_go_into_json():
    class Counted(Protocol):
        name = 'counted'

        def scores(self, embeddings, flipped, benchmark):
            return embeddings

        def entry(self, scores, benchmark):
            return dict(protocol=self.name, rules={}, counts=dict(images=np.int64(len(scores))), metrics=dict(
                accuracy=dict(value=np.float32(0.5), folds=np.ones(2)), near=np.int64(1234), share=np.float32(0.25)))
    PROTOCOLS.register_module('counted', module=Counted)
    try:
        found = measure(dict(x=dict(protocol='counted', start=0, images=4)), EmbeddingTable.of(np.eye(4, dtype='f4')))
    finally:
        PROTOCOLS.module_dict.pop('counted')
    entry = found.entries['x']
    assert json.loads(json.dumps(entry)) == entry and counts_text(entry['counts']) == '4 images'
    assert entry_rows(entry) == [('accuracy', '0.5000'), ('near', '1,234'), ('share', '0.2500')]
