"""What a protocol is: how its lists are read, and how the embeddings of its images become numbers."""
from typing import NamedTuple

VERIFICATION = dict(accept='false accept rate', hit='true accept rate', miss='false reject rate', same='same person',
                    different='different people', short=('FAR', 'TAR', 'FRR'))


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
        raise ValueError(f'the protocol {cls.name} has no lists of its own; mlaface test --protocol shows those that '
                         'have')

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
