"""Names of tensors: the published MLA-ArcFace and ArcFace networks, and ours.

A published network is one flat module; ours is backbone, branch, fusion and neck. Only prefixes differ.
"""
import torch

from mlaface.utils.files import atomic_path, is_state_dict, load_tensors

TO_OURS = {'saatten.': 'branch.', 'lf.gamma': 'fusion.gate', 'bn2.': 'neck.bn2.', 'fc.': 'neck.fc.',
           'features.': 'neck.features.'}
TO_PUBLISHED = {ours: published for published, ours in TO_OURS.items()} | {'backbone.': ''}
SEPARATE_NORMS = ('fusion.norm_trunk.', 'fusion.norm_branch.')


def _renamed(name, prefixes):
    """``name`` with the first prefix that fits replaced, or None."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name[len(old):]
    return None


def from_published(state, separate_norms=False):
    """Names of a published state dict made ours.

    Args:
        state (dict[str, Tensor]): Published names; ``module.`` in front, as DDP writes it, is taken off.
        separate_norms (bool): Also copy the shared ``bn2`` to the two norms of ``GatedFusion(norm='separate')``:
            evaluation is unchanged, and training may part them. Default False.

    Returns:
        dict[str, Tensor]: State of a ``FaceRecognizer`` without head.
    """
    ours = {}
    for name, tensor in state.items():
        name = name.removeprefix('module.')
        target = _renamed(name, TO_OURS) or f'backbone.{name}'
        ours[target] = tensor.reshape(1) if target == 'fusion.gate' or name.endswith('.lf.gamma') else tensor
    if separate_norms:
        shared = {n.removeprefix('neck.bn2.'): t for n, t in ours.items() if n.startswith('neck.bn2.')}
        ours.update({prefix + name: torch.clone(t) for prefix in SEPARATE_NORMS for name, t in shared.items()})
    return ours


def to_published(state):
    """Names of our state dict made the published ones; the head has no place there and is left out.

    Args:
        state (dict[str, Tensor]): State of a ``FaceRecognizer`` with ``IResNet`` and ``EmbeddingNeck``.

    Returns:
        dict[str, Tensor]: Published names.

    Raises:
        ValueError: If a tensor has no published name, as the norms of ``GatedFusion(norm='separate')``.
    """
    published, homeless = {}, []
    for name, tensor in state.items():
        if name.startswith('head.'):
            continue
        target = _renamed(name, TO_PUBLISHED)
        if target is None:
            homeless.append(name)
        else:
            published[target] = tensor
    if homeless:
        raise ValueError(f'{len(homeless)} tensors have no published name, such as {homeless[0]!r}: only IResNet with '
                         "EmbeddingNeck has them, and of MLA-ArcFace the variant='published'")
    return published


def convert_file(source, out, back=False, separate_norms=False):
    """Rename the tensors of a file.

    Args:
        source (str | Path): ``.pth`` with a state dict, bare or as ``state_dict`` or ``model.state_dict``.
        out (str | Path): ``.pth`` to write: a bare state dict.
        back (bool): From ours to the published names. Default False.
        separate_norms (bool): As in ``from_published``. Default False.

    Returns:
        int: Tensors written.

    Raises:
        ValueError: If the file holds no state dict, or a tensor has no published name.
    """
    state = load_tensors(source)
    for key in ('model', 'state_dict'):
        state = state.get(key, state) if isinstance(state, dict) else state
    if isinstance(state, dict):
        state = {name: tensor for name, tensor in state.items() if not name.startswith('head.')}
    if not is_state_dict(state):
        raise ValueError(f'{source} holds no state dict: names with tensors, bare or under "state_dict"')
    state = to_published(state) if back else from_published(state, separate_norms)
    with atomic_path(out) as temporary:
        torch.save(state, temporary)
    return len(state)
