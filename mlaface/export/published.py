"""Published networks made ours, and ours published: their tensors under the names of the other side.

The networks are MLA-ArcFace, InsightFace's IResNet of every depth, MobileFaceNet and the ViTs of its trainer, IR and
IR-SE of InsightFace_Pytorch, face.evoLVe and AdaFace, and EdgeFace.
"""
from dataclasses import replace

import torch

from mlaface.export.fit import COUNTER, difference, nearest_network
from mlaface.export.names import prefixes_of, renamed
from mlaface.models.recognizer import VARIANTS
from mlaface.utils.files import atomic_path, is_state_dict, load_tensors

WRAPPERS = ('module.', '_orig_mod.')  # of DistributedDataParallel and torch.compile
KEYS = ('model', 'state_dict', 'state_dict_backbone')
EXCITE = '.attn.fc.'  # squeeze-and-excitation: our linear layers are convolutions of one place in IR-SE
LAST_NORM = 'output_layer.4.'  # of IR; AdaFace's has neither scale nor shift
SEPARATE_NORMS = ('fusion.norm_trunk.', 'fusion.norm_branch.')


def from_published(state, separate_norms=False):
    """Names of a published state dict made ours.

    Args:
        state (dict[str, Tensor]): Published names; what DDP and ``torch.compile`` write in front is taken off.
        separate_norms (bool): Also copy the shared ``bn2`` to the two norms of ``GatedFusion(norm='separate')``:
            evaluation is unchanged, and training may part them. Default False.

    Returns:
        dict[str, Tensor]: State of a ``FaceRecognizer`` without head; a name that no published network has gets
        ``backbone.`` in front.
    """
    state = unwrapped(state)
    prefixes = prefixes_of(state)
    ours = {renamed(name, prefixes) or f'backbone.{name}': tensor for name, tensor in state.items()}
    ours = {name: tensor.flatten(1) if EXCITE in name else tensor for name, tensor in ours.items()}
    if separate_norms:
        shared = {n.removeprefix('neck.bn2.'): t for n, t in ours.items() if n.startswith('neck.bn2.')}
        ours.update({prefix + name: torch.clone(t) for prefix in SEPARATE_NORMS for name, t in shared.items()})
    return ours


def unwrapped(state):
    """A state dict without what wrappers write in front of every name, whoever saved it.

    Its gates are vectors, and the last norm of AdaFace's IR gets the scale 1 and the shift 0.
    """
    for wrapper in WRAPPERS * 2:  # either may stand inside the other
        if state and all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): tensor for name, tensor in state.items()}
    if 'model.input_layer.0.weight' in state:  # of Lightning
        state = {name.removeprefix('model.'): tensor for name, tensor in state.items()}
    mean = state.get(f'{LAST_NORM}running_mean')
    if mean is not None:
        state = {f'{LAST_NORM}weight': torch.ones_like(mean), f'{LAST_NORM}bias': torch.zeros_like(mean), **state}
    return {name: tensor.reshape(1) if name.endswith('lf.gamma') else tensor for name, tensor in state.items()}


def to_published(state):
    """Names of our state dict made the published ones; the head has no place there and is left out.

    Args:
        state (dict[str, Tensor]): State of a ``FaceRecognizer`` with ``IResNet`` and ``EmbeddingNeck``,
            ``MobileFaceNet`` and ``GDCNeck``, ``VisionTransformer`` and ``TokenNeck``, or ``EdgeFace`` and
            ``PoolNeck``.

    Returns:
        dict[str, Tensor]: Published names.

    Raises:
        ValueError: If a tensor has no published name, as the norms of ``GatedFusion(norm='separate')``.
    """
    prefixes = {ours: published for published, ours in prefixes_of(state).items()}
    trunk = {name: tensor for name, tensor in state.items() if not name.startswith('head.')}
    published = {renamed(name, prefixes): tensor for name, tensor in trunk.items()}
    homeless = [name for name in trunk if renamed(name, prefixes) is None]
    if homeless:
        raise ValueError(f'{len(homeless)} tensors have no published name, such as {homeless[0]!r}: only IResNet with '
                         "EmbeddingNeck has them, of MLA-ArcFace the variant='published'; and MobileFaceNet with "
                         'GDCNeck, VisionTransformer with TokenNeck and EdgeFace with PoolNeck, without attention or '
                         'branch')
    return {name: tensor[:, :, None, None] if '.fc' in name and name.startswith('body.') else tensor
            for name, tensor in published.items()}


def read_state(source):
    """The trunk's state dict in a file of ours or of another project.

    Args:
        source (str | Path): ``.pth`` with a state dict, bare or under a key such as ``state_dict``.

    Returns:
        dict[str, Tensor]: Without head; of a training of ours the moving average where there is one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no state dict.
    """
    content = state = load_tensors(source)
    for key in KEYS:
        state = state.get(key, state) if isinstance(state, dict) else state
    if isinstance(state, dict):
        average = (content.get('ema') or {}) if 'schema' in content else {}
        state = {name: average.get(name, tensor) for name, tensor in state.items() if not name.startswith('head.')}
    if not is_state_dict(state):
        raise ValueError(f'{source} holds no state dict: names with tensors, bare or under "state_dict" or '
                         '"state_dict_backbone"')
    return unwrapped(state)


def convert_file(source, out, back=False, separate_norms=False):
    """Rename the tensors of a file.

    Args:
        source (str | Path): ``.pth`` as in ``read_state``.
        out (str | Path): ``.pth`` to write: a bare state dict.
        back (bool): From ours to the published names. Default False.
        separate_norms (bool): As in ``from_published``. Default False.

    Returns:
        Network: What the file holds.

    Raises:
        ValueError: If the file holds no state dict, or one that fits no network: names the nearest and what differs;
            if ``separate_norms`` is asked for a network without a branch.
    """
    state = read_state(source)
    if back != any(name.startswith('neck.') for name in state):
        raise ValueError(f'{source} does not have names of mlaface: leave out --back' if back else
                         f'{source} has names of mlaface already; --back makes them the published ones')
    network = _fitting(source, state, back)
    if separate_norms:
        network = _with_separate_norms(network, source)
    state = to_published(state) if back else from_published(state, separate_norms)
    with atomic_path(out) as temporary:
        torch.save(state, temporary)
    return network


def _fitting(source, state, back):
    """The network of a state dict, whose counters of batches are filled in where the file is older than they."""
    network = nearest_network(state if back else from_published(state))
    wanted = network.state if back else to_published(network.state)
    differs = difference(state, wanted)
    if differs:
        raise ValueError(f'{source} fits no network with published names; the nearest is {network.title}: {differs}')
    state.update({name: torch.zeros((), dtype=torch.int64) for name in wanted
                  if name.endswith(COUNTER) and name not in state})
    return network


def _with_separate_norms(network, source):
    """A published MLA-ArcFace with a norm for each of trunk and branch, and what else ``variant`` fixes as it is."""
    if 'fusion' not in network.config:
        raise ValueError(f'--separate-norms is for MLA-ArcFace; {source} holds {network.title}, which has no branch')
    config = {key: value for key, value in network.config.items() if key != 'variant'}
    branch = {**config['branch'], **VARIANTS['published']['branch']}
    return replace(network, config={**config, 'branch': branch, 'fusion': {**config['fusion'], 'norm': 'separate'}})
