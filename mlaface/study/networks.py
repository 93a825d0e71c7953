"""The networks of a plan, tried before the first run."""
from pathlib import Path

from mlaface.study.plan import PlanError
from mlaface.study.recipes import load_variant
from mlaface.utils.errors import UserError

CLASSES = 8  # where the training set would say how many


def try_networks(plan, folder):
    """Build the network of every variant that is run, and give it one image.

    Args:
        plan (Plan): The plan.
        folder (Path): For the configs.

    Raises:
        PlanError: If a network cannot be built, or takes no image; names the plan and the variant.
    """
    import torch

    from mlaface.registry import MODELS
    for variant in plan.compared:
        model = load_variant(plan, variant, Path(folder) / 'configs' / variant).model.to_dict()
        if model.get('head'):
            model['head'].setdefault('num_classes', CLASSES)
        try:
            network = MODELS.build(model).eval()
            with torch.no_grad():
                network(torch.zeros(1, 3, *network.preprocessor.spec['size'], dtype=torch.uint8))
        except (UserError, ValueError, RuntimeError) as error:
            raise PlanError(f'{plan.path}: variants.{variant}: {" ".join(str(error).split())}') from error
