"""InsightFace's first models, of MXNet, as checkpoints of mlaface, or back."""
from mlaface.cli.mxnet import main

if __name__ == '__main__':
    main()
