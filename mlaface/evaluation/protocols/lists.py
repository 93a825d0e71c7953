"""Lists as they are published, text or MATLAB, with errors that name file and line."""
import warnings
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.mat_file import check_mat
from mlaface.utils.texts import read_text


def find_file(root, *names):
    """The first of several names that exists under a folder; ``*`` and ``**`` are patterns.

    Raises:
        FileNotFoundError: If none does; says what was looked for and what is there.
    """
    root = Path(root)
    for name in names:
        found = sorted(path for path in root.glob(name) if path.is_file()) if root.is_dir() else []
        if found:
            return found[0]
    there = ', '.join(sorted(path.name for path in root.iterdir())[:12]) if root.is_dir() else 'no such folder'
    raise FileNotFoundError(f'none of {", ".join(names)} in {root.absolute()} (there: {there or "nothing"})')


def find_folder(root, *names):
    """The first of several folders that exists under a folder, else the folder itself."""
    return next((Path(root) / name for name in names if (Path(root) / name).is_dir()), Path(root))


def read_fields(path, counts, separator=None):
    """Lines of a text file, split into fields; blank lines are passed over, whatever ends a line.

    Args:
        path (Path): The file, UTF-8 with or without a byte order mark.
        counts (tuple[int]): How many fields a line may have.
        separator (str or None): None splits at tabs where that fits, so that a field may hold blanks, else at blanks.

    Returns:
        list[tuple]: Line number from 1, and the fields (list of str), of each line.

    Raises:
        ValueError: If there is no line, or one has another number of fields; names file and line.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            fields = line.split(separator or '\t')
            if separator is None and (len(fields) == 1 or len(fields) not in counts):
                fields = line.split()
            if len(fields) not in counts:
                wanted = ' or '.join(map(str, counts))
                raise ValueError(f'{path}, line {number}: {len(fields)} fields, and {wanted} are needed: '
                                 f'{line.strip()[:80]!r}')
            rows.append((number, [field.strip() for field in fields]))
    if not rows:
        raise ValueError(f'{path} is empty: copy the list again from the set as it is published')
    return rows


def read_table(path, columns, separator=None, skip=0, kind=np.int64):
    """Columns of numbers of a text file.

    Args:
        path (Path): The file.
        columns (tuple[int]): Which.
        separator (str or None): None is blanks.
        skip (int): Lines of header.
        kind (dtype): Of the numbers.

    Returns:
        ndarray (rows, columns): The numbers.

    Raises:
        ValueError: If a field is no number or missing, or there are none; names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # of an empty file, which is an error below
            table = np.loadtxt(path, dtype=kind, delimiter=separator, skiprows=skip, usecols=columns, ndmin=2,
                               comments=None, encoding='utf-8-sig')
    except (ValueError, IndexError) as error:
        raise ValueError(f'{path}: {error}') from error
    if not len(table):
        raise ValueError(f'{path} is empty: copy the list again from the set as it is published')
    return table


def numbers_of(rows, columns, path):
    """Fields of lines as numbers.

    Args:
        rows (list[tuple]): As ``read_fields`` gives them.
        columns (slice): Which fields.
        path (Path): For the message.

    Returns:
        ndarray float64 (lines, fields): The numbers.

    Raises:
        ValueError: If a field is none; names file and line.
    """
    try:
        return np.array([fields[columns] for _, fields in rows], np.float64)
    except ValueError:
        for number, fields in rows:
            try:
                np.array(fields[columns], np.float64)
            except ValueError as error:
                raise ValueError(f'{path}, line {number}: {error}') from error
        raise


def read_mat(path, keys):
    """Variables of a MATLAB file of version 5, cells and structures as numpy gives them.

    Args:
        path (Path): The file.
        keys (tuple[str]): Names of the variables.

    Returns:
        list[ndarray]: At least two-dimensional, as MATLAB has them.

    Raises:
        ValueError: If it is no such file, or lacks a variable; names the file.
    """
    from scipy.io import loadmat
    try:
        check_mat(Path(path).read_bytes())  # scipy believes every length that it reads, and ends the process
        content = loadmat(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # of many classes, by what the bytes happen to say
        raise ValueError(f'{path} cannot be read as a MATLAB file of version 5: {error}') from error
    lacking = [key for key in keys if key not in content]
    if lacking:
        held = ', '.join(key for key in content if not key.startswith('__')) or 'nothing'
        raise ValueError(f'{path} lacks {", ".join(lacking)}; it holds {held}')
    return [content[key] for key in keys]


def cell_text(cell):
    """The text that stands in a MATLAB cell, at whatever depth of cells and structures of one element each.

    Raises:
        IndexError, TypeError: If there is none.
    """
    while not isinstance(cell, str):
        cell = cell.ravel()[0] if isinstance(cell, np.ndarray) else cell[0]
    return cell.strip()


def whole_number(text, path, number):
    """A field as a whole number.

    Raises:
        ValueError: If it is none; names file and line.
    """
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f'{path}, line {number}: {text!r} is no whole number') from error


def fold_order(issame, folds):
    """An order of pairs in which every fold has its share of same and of different pairs, each kind in its order."""
    parts = [np.array_split(np.flatnonzero(issame == kind), folds) for kind in (True, False)]
    return np.concatenate([part for fold in zip(*parts) for part in fold])
