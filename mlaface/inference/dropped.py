"""The page that shows which photographs gave no face, and why."""
import os
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from mlaface.utils.files import atomic_path

SHOWN = 200
NAME = 'dropped.html'


def write_page(records, source, target):
    """Write ``dropped.html``; the photographs are shown where they lie.

    Args:
        records (list[dict]): From ``preparation.read_log``.
        source (str | Path): Folder of the photographs, or its address.
        target (str | Path): Folder of the faces, which gets the page.

    Returns:
        Path: The page.
    """
    from jinja2 import Environment, PackageLoader
    path = Path(target, NAME)
    base = str(source) if '://' in str(source) else quote(Path(os.path.relpath(
        Path(source).resolve(), path.parent.resolve())).as_posix())
    reasons = Counter(record['dropped'] for record in records if record['dropped'])
    groups = [dict(reason=reason, count=count, images=[
        dict(name=record['source'], detail=record.get('detail', _measures(record)),
             link=f'{base.rstrip("/")}/{quote(record["source"])}')
        for record in records if record['dropped'] == reason][:SHOWN]) for reason, count in reasons.most_common()]
    page = Environment(loader=PackageLoader('mlaface.inference', ''), autoescape=True).get_template(NAME)
    text = page.render(groups=groups, images=len(records), faces=sum(len(record['kept']) for record in records),
                       dropped=sum(reasons.values()), shown=SHOWN)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
    return path


def _measures(record):
    quality = record.get('quality')
    return f'{record["found"]} faces' if quality is None else ', '.join(
        f'{key} {quality[key]:.0f}' for key in ('size', 'sharpness', 'yaw'))
