"""Rename the tensors of a published MLA-ArcFace or ArcFace network for mlaface, or back."""
import argparse


def parse(arguments=None):
    """Command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='state dict (.pth)')
    parser.add_argument('out', help='state dict to write (.pth)')
    parser.add_argument('--back', action='store_true', help='from mlaface to the published names')
    parser.add_argument('--separate-norms', action='store_true',
                        help="give GatedFusion(norm='separate') the published shared norm as its start")
    return parser.parse_args(arguments)


def main():
    """Read, rename, write."""
    args = parse()
    from mlaface.export.published import convert_file
    count = convert_file(args.source, args.out, back=args.back, separate_norms=args.separate_norms)
    print(f'{args.out}: {count} tensors')


if __name__ == '__main__':
    main()
