"""What a network costs: multiply-accumulates, activations and time, by its parts."""
import statistics
import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop

# what torch computes attention by on processors; its formula is that of the other kernels
FORMULAS = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flop}
REST = 'rest'


def parts_of(model):
    """The parts of a recognizer that an image passes.

    Args:
        model (nn.Module): Its backbone's stages, as ``stages()`` tells them, are parts of their own.

    Returns:
        dict[str, list[nn.Module]]: ``'stem'``, ``'stage 1'`` and so on, or ``'backbone'``; ``'branch'``, ``'fusion'``,
        ``'neck'``; of these what there is.
    """
    found = {name: [part] for name in ('backbone', 'branch', 'fusion', 'neck')
             if (part := getattr(model, name, None)) is not None}
    if hasattr(found.get('backbone', [None])[0], 'stages'):
        stages = found.pop('backbone')[0].stages()
        found = {f'stage {number}' if number else 'stem': stage for number, stage in enumerate(stages)} | found
    return found


class Watch:
    """Calls ``change(part)`` when a part begins to run, and ``change(REST)`` when it has.

    Args:
        parts (dict[str, list[nn.Module]]): As of ``parts_of``.
        change (callable): Takes the name of the part.
    """

    def __init__(self, parts, change):
        self.parts, self.change, self.outermost = parts, change, None

    def __enter__(self):
        self.hooks = []
        for name, modules in self.parts.items():
            for module in {inner for outer in modules for inner in outer.modules()}:
                self.hooks.append(module.register_forward_pre_hook(
                    lambda module, args, name=name: self._begin(module, name)))
                self.hooks.append(module.register_forward_hook(lambda module, args, out: self._end(module)))
        return self

    def _begin(self, module, name):
        if self.outermost is None:
            self.outermost = module
            self.change(name)

    def _end(self, module):
        if self.outermost is module:
            self.outermost = None
            self.change(REST)

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()


class ProductCounter(TorchDispatchMode):
    """Counts convolutions and matrix products, by torch's own formulas; norms, activations and sums are not counted.

    Attributes:
        part (str): Under whose name what comes is counted.
        macs (dict[str, int]): Multiply-accumulates of each part.
        activations (dict[str, int]): Numbers that they give (Radosavovic et al., CVPR 2020).
    """

    def __init__(self):
        super().__init__()
        self.part, self.macs, self.activations = REST, {}, {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation, and count it if it is a product."""
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket) or FORMULAS.get(func._overloadpacket)
        if formula is not None:
            first = out[0] if isinstance(out, (list, tuple)) else out
            flops = formula(*args, **(kwargs or {}), out_val=out)
            self.macs[self.part] = self.macs.get(self.part, 0) + flops // 2
            self.activations[self.part] = self.activations.get(self.part, 0) + first.numel()
        return out


def black_images(model, count=1):
    """Images uint8 (count, 3, H, W) as a recognizer takes them, where its parameters are."""
    height, width = model.input_spec['size']
    return torch.zeros(count, 3, height, width, dtype=torch.uint8, device=next(model.parameters()).device)


def count_products(model):
    """Products of one image through a network, without its head.

    Args:
        model (FaceRecognizer): With ``preprocessor.spec``.

    Returns:
        ProductCounter: What was counted, by part.
    """
    with ProductCounter() as counter, Watch(parts_of(model), lambda part: setattr(counter, 'part', part)):
        model.extract(black_images(model))
    return counter


def count_macs(model):
    """Multiply-accumulates of one image through a network, without its head (int); see ``ProductCounter``."""
    return sum(count_products(model).macs.values())


class _Stopwatch:
    """Seconds of each part since ``start``."""

    def __init__(self, device):
        self.wait = torch.cuda.synchronize if device.type == 'cuda' else lambda: None

    def start(self):
        self.seconds, self.part, self.since = {}, REST, self._now()

    def _now(self):
        self.wait()
        return time.perf_counter()

    def change(self, part):
        now = self._now()
        self.seconds[self.part] = self.seconds.get(self.part, 0.0) + now - self.since
        self.part, self.since = part, now


def time_parts(model, batch_size=1, repeats=10):
    """Seconds of each part of a forward pass, the median over repeats; a first pass does not count.

    Args:
        model (FaceRecognizer): The network.
        batch_size (int): Images of a pass. Default 1.
        repeats (int): Passes. Default 10.

    Returns:
        dict[str, float]: By part; ``'rest'`` is what lies between them, with the preprocessor.
    """
    images, found = black_images(model, batch_size), []
    watch = _Stopwatch(images.device)
    model.extract(images)
    with Watch(parts_of(model), watch.change):
        for _ in range(repeats):
            watch.start()
            model.extract(images)
            watch.change(REST)
            found.append(watch.seconds)
    return {part: statistics.median(seconds.get(part, 0.0) for seconds in found) for part in found[0]}


def costs(model, batch_size=1, repeats=10):
    """What each part of a network costs.

    Args:
        model (FaceRecognizer): The network, without its head.
        batch_size (int): Images of a timed pass. Default 1.
        repeats (int): Timed passes; with 0 nothing is timed. Default 10.

    Returns:
        list[dict]: Of each part ``part``, ``parameters``, ``macs`` and ``activations`` of an image, ``milliseconds`` of
        an image (absent with ``repeats=0``); ``'rest'`` is there where it costs anything.
    """
    parts, counter = parts_of(model), count_products(model)
    seconds = time_parts(model, batch_size, repeats) if repeats else {}
    rows, known = [], set()
    for name in [*parts, REST]:
        own = {id(p): p.numel() for module in parts.get(name, [model]) for p in module.parameters()
               if id(p) not in known}
        known |= own.keys()
        row = dict(part=name, parameters=sum(own.values()), macs=counter.macs.get(name, 0),
                   activations=counter.activations.get(name, 0))
        row.update(dict(milliseconds=1000 * seconds.get(name, 0.0) / batch_size) if repeats else {})
        rows += [row] if name != REST or any(row[key] for key in row if key != 'part') else []
    return rows
