"""What a user imports: init_model and friends."""
__all__ = ['init_model']


def __getattr__(name):
    """Import on first use: the package by itself imports no torch."""
    if name == 'init_model':
        from mlaface.apis.model import init_model
        return init_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
