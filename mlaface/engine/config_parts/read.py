"""A config file becomes a config, and whatever goes wrong in it is told in one line with its place."""
from mlaface.engine.config_parts.origins import missing_base
from mlaface.engine.errors import ConfigError
from mlaface.utils.configs import config_fault
from mlaface.utils.imports import import_fault


def read_config(path):
    """The config of a file, with what it inherits and the plug-ins of ``custom_imports`` imported.

    Args:
        path (Path): The file; it is run.

    Returns:
        Config: The config, unchecked.

    Raises:
        ConfigError: If it, or a file that it inherits from, fails.
    """
    from mmengine.config import Config
    try:
        return Config.fromfile(path, lazy_import=False)
    except ImportError as error:
        raise ConfigError(f'{path}: {import_fault(error)}') from error
    except Exception as error:  # a config is code
        missing = missing_base(path) if isinstance(error, FileNotFoundError) else None
        raise ConfigError(missing or f'{path} cannot be read: {config_fault(error)}') from error


def import_plugins(config, path):
    """Import what ``custom_imports`` names; for those of the command line, since a file's are imported as it is read.

    Args:
        config (Config): Its ``custom_imports`` is checked here no further than is needed to import.
        path (Path): The config's file, for the message.

    Raises:
        ConfigError: If a module is not found.
    """
    from mmengine.utils import import_modules_from_strings
    imports = config.get('custom_imports')
    if isinstance(imports, dict) and set(imports) <= {'imports', 'allow_failed_imports'}:
        try:
            import_modules_from_strings(**imports)
        except ImportError as error:
            raise ConfigError(f'{path}: {import_fault(error)}') from error
