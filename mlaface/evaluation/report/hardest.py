"""The pairs that a model finds hardest, as small pictures with their scores."""
import base64

import numpy as np


def threshold_of(entry):
    """The cosine at which a benchmark, or a group of it, is decided, or None (float)."""
    return entry['metrics'].get('threshold', {}).get('value')


def hardest_pairs(evaluation, name, count, prefix=''):
    """The different pairs that look most alike and the same pairs that look least alike, with their images.

    Args:
        evaluation (Evaluation): Of one model.
        name (str): The benchmark.
        count (int): Pairs of each kind, and of each group where there are some.
        prefix (str): Before the titles.

    Returns:
        list[dict]: ``title`` and ``pairs``; empty where pairs are not what the protocol compares, or images are not
        there. A template is shown by its first image.
    """
    benchmark, images = evaluation.suite.benchmarks[name], evaluation.suite.images
    if images is None or not evaluation.protocol(name).compares_images or count < 1:
        return []
    entry, found, start = evaluation.result['benchmarks'][name], [], 0
    rows, _ = evaluation.image_pairs(name)
    for label, (cosine, issame) in evaluation.curves(name).items():
        own = rows[start:start + len(cosine)]
        start += len(cosine)
        found += _both_kinds(cosine, issame, count, threshold_of(entry.get('groups', {}).get(label, entry)),
                             lambda pair, own=own: _shown(images, benchmark, own[pair], pair),
                             prefix + (f'{label}: ' if label else ''))
    return found


def _both_kinds(cosine, issame, count, threshold, shown, prefix):
    order = np.argsort(cosine, kind='stable')
    accepts, rejects = order[~issame[order]][::-1][:count], order[issame[order]][:count]
    groups = (('different people, most alike', accepts, 'false accept', True),
              ('one person, least alike', rejects, 'false reject', False))
    return [dict(title=f'{prefix}{title}', pairs=[
        dict(shown(pair), score=float(cosine[pair]),
             error=error if threshold is not None and (cosine[pair] > threshold) == accepted else None)
        for pair in pairs]) for title, pairs, error, accepted in groups]


def _shown(images, benchmark, rows, pair):
    """Number, pictures and names of a pair of images."""
    names = benchmark.get('names')
    label = f'pair {pair}'
    if 'templates' in benchmark:
        label = 'templates ' + ' and '.join(str(benchmark['templates'][row]) for row in rows)
    pictures = images.read([benchmark['start'] + int(row) for row in rows])
    return dict(label=label, images=[picture_url(picture) for picture in pictures],
                names=[str(names[row]) for row in rows] if names is not None else ['', ''])


def picture_url(image):
    """An RGB image uint8 (3, H, W) as a ``data:`` address of a JPEG."""
    import cv2
    ok, data = cv2.imencode('.jpg', np.ascontiguousarray(image.transpose(1, 2, 0)[..., ::-1]),
                            [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not ok:
        raise ValueError('an image could not be encoded as JPEG')
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()
