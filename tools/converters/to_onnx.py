"""Write a checkpoint as ONNX, checked against ONNX Runtime before it is written."""
import argparse


def parse(arguments=None):
    """Command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of mlaface (.pth)')
    parser.add_argument('out', help='ONNX file to write')
    parser.add_argument('--raw-input', action='store_true',
                        help='take normalised float32 images instead of uint8; the metadata says mean and std')
    parser.add_argument('--flip', choices=('none', 'sum', 'concat'), default='none', help='with the mirror image')
    parser.add_argument('--normalize', action='store_true', help='embeddings of unit length')
    parser.add_argument('--opset', type=int, default=17, help='ONNX operator set (default 17)')
    return parser.parse_args(arguments)


def main():
    """Load, export, and say what was written."""
    args = parse()
    from mlaface.apis import init_model
    from mlaface.export.onnx import export_onnx
    metadata = export_onnx(init_model(args.checkpoint, device='cpu'), args.out, preprocess=not args.raw_input,
                           flip=args.flip, normalize=args.normalize, opset=args.opset)
    print(f'{args.out}: embeddings of {metadata["embedding_size"]}, input {metadata["input"]}, flip {metadata["flip"]}')


if __name__ == '__main__':
    main()
