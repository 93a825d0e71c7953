"""Rename the tensors of a published MLA-ArcFace or ArcFace network for mlaface, or back."""
from mlaface.cli.published import main

if __name__ == '__main__':
    main()
