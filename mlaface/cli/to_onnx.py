"""Write a checkpoint as ONNX: ``export`` under its older name.

Examples:
  python tools/converters/to_onnx.py work_dirs/mla_r50_ms1mv3/best.pth mla_r50.onnx
  python tools/converters/to_onnx.py best.pth best.onnx --flip sum --normalize
  python tools/test.py best.onnx --sets data/lfw.bin
"""
from mlaface.cli.export import make_parser, run


def main(argv=None):
    """Load, export, and say what was written; ``argv`` (list[str]) is by default the process's."""
    run(make_parser('to-onnx', __doc__, 'onnx').parse_args(argv))
