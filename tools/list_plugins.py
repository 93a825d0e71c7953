"""List what is registered: name, signature, first line of the description.

Examples:
  python tools/list_plugins.py
  python tools/list_plugins.py margins
  python tools/list_plugins.py attention --plain
"""
import argparse


def parse(arguments=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('registry', nargs='?', help='one registry: margins, attention, models ... (default: all)')
    parser.add_argument('--plain', action='store_true', help='tab-separated lines, for other programs')
    return parser.parse_args(arguments)


def main():
    """List."""
    options = parse()
    from mlaface.cli.plugins import show_plugins
    show_plugins(options.registry, options.plain)


if __name__ == '__main__':
    main()
