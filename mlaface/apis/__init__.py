"""What a user imports: init_model and friends."""
__all__ = ['FaceInferencer', 'init_model']


def __getattr__(name):
    """Import on first use: the package by itself imports no torch."""
    if name == 'init_model':
        from mlaface.apis.model import init_model
        return init_model
    if name == 'FaceInferencer':
        from mlaface.apis.inference import FaceInferencer
        return FaceInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
