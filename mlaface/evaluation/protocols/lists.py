"""Text lists read line by line, with errors that name file and line."""
from pathlib import Path


def find_file(root, *names):
    """The first of several names that exists under a folder; ``*`` and ``**`` are patterns.

    Raises:
        FileNotFoundError: If none does; says what was looked for and what is there.
    """
    root = Path(root)
    for name in names:
        found = sorted(root.glob(name)) if root.is_dir() else []
        if found:
            return found[0]
    there = ', '.join(sorted(path.name for path in root.iterdir())[:12]) if root.is_dir() else 'no such folder'
    raise FileNotFoundError(f'none of {", ".join(names)} in {root.absolute()} (there: {there or "nothing"})')


def find_folder(root, *names):
    """The first of several folders that exists under a folder, else the folder itself."""
    return next((Path(root) / name for name in names if (Path(root) / name).is_dir()), Path(root))


def read_fields(path, counts, separator=None):
    """Lines of a text file, split into fields.

    Args:
        path (Path): The file.
        counts (tuple[int]): How many fields a line may have.
        separator (str or None): None splits at blanks.

    Yields:
        tuple: Line number from 1, and the fields (list of str).

    Raises:
        ValueError: If a line has another number of fields; names file and line.
    """
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                fields = [field.strip() for field in line.strip().split(separator)]
                if len(fields) not in counts:
                    wanted = ' or '.join(map(str, counts))
                    raise ValueError(f'{path}, line {number}: {len(fields)} fields, and {wanted} are needed: '
                                     f'{line.strip()[:80]!r}')
                yield number, fields


def whole_number(text, path, number):
    """A field as a whole number.

    Raises:
        ValueError: If it is none; names file and line.
    """
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f'{path}, line {number}: {text!r} is no whole number') from error
