"""Print a config with all it inherits, as it would be used.

Examples:
  python tools/print_config.py configs/mla_r100_ms1mv3.py
  python tools/print_config.py configs/mla_r100_ms1mv3.py --cfg-options optim_wrapper.optimizer.lr=0.02
  python tools/print_config.py configs/mla_r100_ms1mv3.py --key model.head
"""
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.cfg_options import add_cfg_options
from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = command('print-config', __doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--key', help='print this part only: model.head')
    add_cfg_options(parser)
    return parser.parse_args(arguments)


def main(argv=None):
    """Print the config that the arguments name; ``argv`` (list[str]) is by default the process's."""
    options = parse(argv)
    from mlaface.engine.launch import config_text
    with explained():
        print(config_text(options.config, options.cfg_options, options.key), end='')
