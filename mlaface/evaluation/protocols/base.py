"""What a protocol is: how its lists are read, and how the embeddings of its images become numbers."""
import inspect
from typing import NamedTuple

from mlaface.registry import PROTOCOLS, nearest
from mlaface.utils.errors import InputError

VERIFICATION = dict(accept='false accept rate', hit='true accept rate', miss='false reject rate', same='same person',
                    different='different people', short=('FAR', 'TAR', 'FRR'))


COMPAT = "reproduce the public code's numbers"


class Option(NamedTuple):
    """An argument of a protocol, as the command line offers it: what it means, its values, or their type."""
    help: str
    choices: tuple | None = None
    type: type = str


class Protocol:
    """A way to evaluate faces; a subclass in one file is all that a new one needs.

    What is evaluated are benchmarks, a dict each: ``protocol`` (a registered name, whose class makes the numbers),
    ``start`` and ``images`` (its rows among the images of the suite), optionally ``names`` of these images, and what
    the class itself puts there in ``open``.

    Attributes:
        name (str): As ``--protocol`` takes it.
        options (dict[str, Option]): The arguments of the constructor.
        compats (tuple[str]): Whose public code's numbers it can reproduce.
        published (dict): Benchmark -> counts of the whole set, as its owners publish them and ``counts`` of result JSON
            names them.
        headline (tuple[str]): Metric and key of the number by which checkpoints are chosen.
        words (dict): How the report calls the axes of its curves and the two kinds of scores.
        compares_images (bool): The scores of ``curves`` are those of ``image_pairs``, so that a report can show them.
        device (str): Where scores may be computed; whoever evaluates sets it.

    Args:
        compat (str or None): One of ``compats``.

    Raises:
        ValueError: If ``compat`` is another.
    """
    name = None
    options = {}
    compats = ()
    published = {}
    headline = ('accuracy', 'value')
    words = VERIFICATION
    compares_images = False
    device = 'cpu'

    def __init__(self, compat=None):
        if compat not in (None, *self.compats):
            raise ValueError(f'compat of the protocol {self.name} must be None or one of {self.compats}; got '
                             f'{compat!r}')
        self.compat = compat

    @classmethod
    def open(cls, root):
        """The images and benchmarks of a folder as it is published; nothing is decoded yet.

        Args:
            root (str | Path): Folder with images and lists.

        Returns:
            Suite: Images and benchmarks.

        Raises:
            FileNotFoundError: If a list or an image is missing.
            ValueError: If a list has another form than published, or this protocol has no lists.
        """
        raise ValueError(f'the protocol {cls.name} has no lists of its own; those that have: '
                         f'{", ".join(openable_protocols())}')

    def duplicate_pairs(self, benchmark, same_as=None):
        """How many pairs of a list were on it before, in either order; each counts as often as it is listed.

        Args:
            benchmark (dict): See the class.
            same_as (int array (N,) or None): For each row of the suite the first one that has its image.

        Returns:
            int: 0 where there is no list of pairs.
        """
        return 0

    @classmethod
    def summary(cls):
        """What it is, in a line (str): the first of its docstring."""
        return (cls.__doc__ or '').strip().partition('\n')[0]

    def scores(self, embeddings, flipped, benchmark):
        """What all numbers of a benchmark are made of; the dear part, done once.

        Args:
            embeddings (ndarray (N, D)): Its images' embeddings, in order.
            flipped (ndarray (N, D) or None): Those of the mirrored images.
            benchmark (dict): See the class.

        Returns:
            object: For the methods below.
        """
        raise NotImplementedError

    def entry(self, scores, benchmark):
        """The benchmark's entry of result JSON, without intervals: ``protocol``, ``rules``, ``counts``, ``metrics``."""
        raise NotImplementedError

    def sample(self, scores, benchmark):
        """``certainty.Sample`` of the same numbers, for intervals and comparisons; None where there are none."""

    def curves(self, scores, benchmark):
        """What a report draws curves and histograms of.

        Returns:
            dict[str, tuple]: Label (empty if there is one only) -> scores float64 (P,) and issame bool (P,).
        """
        return {}

    def image_pairs(self, benchmark):
        """Pairs of images of which it is known whether they show one person; None where there are none.

        Returns:
            tuple or None: Rows (P, 2), counted from the benchmark's first image, and issame bool (P,).
        """

    def headlines(self, entries):
        """The headline number of each benchmark, for logs and for choosing the best checkpoint.

        Args:
            entries (dict): Benchmark -> entry of result JSON.

        Returns:
            dict[str, float]: ``{benchmark}/{metric}``.
        """
        metric, key = self.headline
        found = {name: entry['metrics'][metric][key] for name, entry in entries.items()}
        return {f'{name}/{metric}': value['value'] if isinstance(value, dict) else value
                for name, value in found.items()}


def taken_options(cls):
    """Names of the options that a protocol's class takes (list of str)."""
    return [name for name in inspect.signature(cls).parameters if name != 'self']


def option_table():
    """All options of the protocols that read a folder.

    Returns:
        dict[str, tuple]: Name -> ``Option`` with the choices of all protocols that take it, and their names.
    """
    table = {}
    for cls in openable_protocols().values():
        own = {**cls.options, **({'compat': Option(COMPAT, cls.compats)} if cls.compats else {})}
        for name, option in own.items():
            known, takers = table.get(name, (option, []))
            if option.choices is not None:
                known = known._replace(choices=tuple(dict.fromkeys([*(known.choices or ()), *option.choices])))
            table[name] = known, [*takers, cls.name]
    return table


def check_options(options):
    """Refuse options that no registered protocol takes.

    Raises:
        InputError: If there is one; says the nearest.
    """
    taken = {key for cls in PROTOCOLS.classes().values() for key in taken_options(cls)}
    _refuse_unknown(options, taken, 'any protocol')


def _refuse_unknown(options, taken, whose):
    unused = [key for key in options if key not in taken]
    if unused:
        close = nearest(unused[0], taken)
        raise InputError(f'{", ".join(unused)}: not an option of {whose}'
                         + (f'; did you mean {close!r}?' if close else '.') + f' It takes {", ".join(sorted(taken))}')


def build_protocol(name, options, device='cpu'):
    """A protocol with those of the given options that it takes.

    Args:
        name (str): As in a benchmark's entry.
        options (dict): By name.
        device (str): Where scores may be computed.

    Returns:
        Protocol: The protocol.

    Raises:
        KeyError: If there is none of this name; says the nearest.
    """
    taken = taken_options(PROTOCOLS.get(name))
    protocol = PROTOCOLS.build(dict(type=name, **{key: value for key, value in options.items() if key in taken}))
    protocol.device = device
    return protocol


def build_protocols(benchmarks, options, device='cpu'):
    """The protocols of benchmarks; options that none of them takes are refused: they would silently change nothing.

    Args:
        benchmarks (dict): Name -> entry.
        options (dict): By name, for those that take them.
        device (str): Where scores may be computed.

    Returns:
        dict[str, Protocol]: By name of the protocol.

    Raises:
        InputError: If an option is not taken.
    """
    names = dict.fromkeys(entry['protocol'] for entry in benchmarks.values())
    taken = {key for name in names for key in taken_options(PROTOCOLS.get(name))}
    _refuse_unknown(options, taken, ', '.join(names))
    return {name: build_protocol(name, options, device) for name in names}


def openable_protocols():
    """Name -> class of the protocols that read a folder, sorted by name (dict)."""
    return {name: cls for name, cls in PROTOCOLS.classes().items()
            if name == cls.name and cls.open.__func__ is not Protocol.open.__func__}


def open_protocol(name, root):
    """The suite of a protocol's folder; see ``Protocol.open``.

    Raises:
        InputError: If there is no such protocol; says the nearest, and which there are.
    """
    known = openable_protocols()
    if name not in known:
        close = nearest(name, known)
        raise InputError(f'no protocol {name!r}' + (f'; did you mean {close!r}?' if close else '.')
                         + f' There are {", ".join(known)}. One of your own is named in custom_imports of a config')
    suite = known[name].open(root)
    suite.published = known[name].published
    return suite
