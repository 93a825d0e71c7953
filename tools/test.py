"""Evaluate a checkpoint, an ONNX file, a TorchScript file or a Python function on face benchmarks."""
from mlaface.cli.test import main

if __name__ == '__main__':
    main()
