"""What ranks import on their way to a training. ``gloo.py`` has it imported once, before it forks them."""
import matplotlib.figure  # noqa: F401, by mmengine's visualizer
import torch._dynamo  # noqa: F401, by any of torch's optimizers

import mlaface.engine.launch
import mlaface.models  # noqa: F401
import tests.engine.test_resume  # noqa: F401
from mlaface import registry

for each in vars(registry).values():
    if isinstance(each, type(registry.MODELS)):
        each.names()  # imports what is registered
