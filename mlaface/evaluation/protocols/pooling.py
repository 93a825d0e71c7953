"""Templates: sets of images of one person, pooled to one embedding; what 1:1 and 1:N of IJB share."""
from dataclasses import replace

import numpy as np

from mlaface.evaluation.functional.templates import CHOICES, TemplateRules, pool_templates
from mlaface.evaluation.protocols.base import Option, Protocol


class Pooled(Protocol):
    """What the protocols on templates share: the rules of pooling.

    Args:
        flip, norm, quality, far_rule (str or None): See ``TemplateRules``; None is the default of ``compat``. Where a
            model hands over embeddings that it has fused itself, ``flip`` says how it did.
        compat (str or None): ``'insightface'`` begins with the rules of the published scripts.
    """
    options = dict(flip=Option('image and mirror image', CHOICES['flip']),
                   norm=Option('of an embedding, after flip', CHOICES['norm']),
                   quality=Option("weight of a template's images", CHOICES['quality']),
                   far_rule=Option('how TAR at FAR is read off', CHOICES['far_rule']))
    compats = ('insightface',)

    def __init__(self, flip=None, norm=None, quality=None, far_rule=None, compat=None):
        super().__init__(compat)
        given = dict(flip=flip, norm=norm, quality=quality, far_rule=far_rule)
        rules = TemplateRules.insightface() if compat else TemplateRules()
        self.rules = replace(rules, **{key: value for key, value in given.items() if value is not None})

    def pool(self, embeddings, flipped, benchmark):
        """The benchmark's templates by the rules; without mirrored images there is nothing left to fuse."""
        return pool_templates(embeddings, benchmark['templates'], benchmark['media'], flipped=flipped,
                              quality=benchmark.get('quality'), names=benchmark.get('names'),
                              rules=self.rules if flipped is not None else replace(self.rules, flip='none'))


def first_images(benchmark):
    """Each template's first image.

    Args:
        benchmark (dict): Has ``templates``, the template of each image.

    Returns:
        callable: Numbers of templates (any shape) to rows of images. Several images of one template may be frames of
        one video, which any colours match.
    """
    ids, images = np.unique(benchmark['templates'], return_index=True)
    return lambda templates: images[np.searchsorted(ids, templates)]
