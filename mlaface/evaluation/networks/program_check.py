"""Does a program of torch.export bring code? ``torch.export.load`` would run it.

What it does with a file, read in torch 2.13: unpickles weights, constants and sample inputs, evaluates expressions of
shapes and guards as Python, looks operators up by any dotted name, and makes source text of names. So a file passes
here only if its weights are plain bytes, its sample inputs tensors, its operators torch's own, and every other word in
it a name.
"""
import io
import json
import re
import zipfile

from mlaface.utils.errors import InputError

RECORDS = re.compile(r'(archive_format|archive_version|byteorder|\.data/(version|serialization_id)|models/model\.json'
                     r'|data/weights/(model_weights_config\.json|weight_\d+)|extra/[\w.]+|data/sample_inputs/model\.pt'
                     r'|data/constants/(model_constants_config\.json|tensor_\d+))')
OPERATOR = re.compile(r'torch\.ops\.(aten|higher_order)\.\w+(\.\w+)?|_operator\.(getitem|add|sub|mul|floordiv)')
NAME = re.compile(r'(?!(.*\.)?__)[\w.]*')
TERM = r"(-?\w+|Symbol\('\w+'(, \w+=(True|False))*\))"
EXPRESSION = re.compile(rf'(?!(.*\W)?__){TERM}( ?[-+*/] ?{TERM})*')
CONTAINERS = (None, 'builtins.tuple', 'builtins.list', 'builtins.dict')
FREE = ('stack_trace', 'nn_module_stack', 'torch_fn')  # of a node's metadata: kept as text


def check_program(path):
    """Refuse a file of ``torch.export`` that brings code, or may.

    Args:
        path (str | Path): The file.

    Raises:
        InputError: Names the file and what in it is not plain data.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_records(archive)
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no program of torch.export as torch 2.8 and later write it ({error})') from error
    except InputError as error:
        raise InputError(f'{path} is not opened, because it brings more than tensors and operators of torch, and could '
                         f'run code: {error}. Export it again with mlaface export, or as ONNX') from error


def _check_records(archive):
    for record in archive.namelist():
        if not RECORDS.fullmatch(record.partition('/')[2]):
            raise InputError(f'its record {record!r}')
    root = archive.namelist()[0].partition('/')[0]
    for kind in ('weights', 'constants'):
        _check_payload(json.loads(archive.read(f'{root}/data/{kind}/model_{kind}_config.json')))
    _check_samples(archive.read(f'{root}/data/sample_inputs/model.pt'))
    model = json.loads(archive.read(f'{root}/models/model.json'))
    if model.get('guards_code') or model['graph_module'].get('treespec_namedtuple_fields'):
        raise InputError('guards, or types of its own')
    _check_words({key: value for key, value in model.items() if key != 'torch_version'})


def _check_payload(config):
    for name, payload in config['config'].items():
        if payload.get('use_pickle') or not re.fullmatch(r'(weight|tensor)_\d+', payload['path_name']):
            raise InputError(f'{name!r} is pickled')
    _check_words(config)


def _check_samples(content):
    import torch
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise InputError('its sample inputs are more than tensors') from error


def _check_words(value, key=None):
    """Every string is a name, but for operators, expressions of shapes, and containers, which have their own rules."""
    if isinstance(value, dict):
        for inner, content in value.items():
            _check_words(inner)
            _check_words(content, inner)
    elif isinstance(value, list):
        for content in value:
            _check_words(content, key)
    elif isinstance(value, str) and key not in FREE:
        if key in ('in_spec', 'out_spec'):
            _check_container(json.loads(value)[1])
        elif not dict(target=OPERATOR, expr_str=EXPRESSION).get(key, NAME).fullmatch(value):
            raise InputError(f'the word {value[:80]!r}')


def _check_container(spec):
    if spec['type'] not in CONTAINERS:
        raise InputError(f'a container of type {spec["type"]!r}')
    for child in spec['children_spec']:
        _check_container(child)
