"""The work of ``mlaface export``: open, gather faces and benchmarks, write, say what was lost."""
import json
from pathlib import Path

from mlaface.apis import init_model
from mlaface.cli.parts.progress import bar
from mlaface.evaluation.suite import bin_suite
from mlaface.export.calibration import calibration_faces
from mlaface.export.export import export_model
from mlaface.export.extractor import Form


def export(args):
    """Export as ``cli.export``'s arguments say.

    Args:
        args (Namespace): Of ``cli.export``.
    """
    model = init_model(args.checkpoint, args.config, imports=args.imports)
    options = {} if args.opset is None else dict(opset=args.opset)
    suite = bin_suite(args.sets) if args.sets else None
    images = None
    if args.calibrate:
        images = calibration_faces(args.calibrate, args.calibrate_images, tuple(model.input_spec['size']))
    with bar('measuring', 2 * len(suite.distinct) if suite else 0, hidden=suite is None) as advance:
        metadata = export_model(
            model, args.out, args.format, Form(args.input, args.flip, args.normalize), args.precision, images,
            suite, args.max_loss, progress=suite and advance, **options)
    show(args.out, metadata)


def size_of(path):
    """Bytes of an exported file, with those of the weights beside an OpenVINO graph."""
    path = Path(path)
    return sum(file.stat().st_size for file in {path, path.with_suffix('.bin') if path.suffix == '.xml' else path})


def show(path, metadata):
    """Print what is in a file, and what it lost."""
    print(f'{path}: {metadata["precision"]}, {size_of(path) / 1e6:.1f} MB, embeddings of '
          f'{metadata["embedding_size"]}, input {metadata["input"]}, flip {metadata["flip"]}')
    accuracy = json.loads(metadata.get('accuracy', '{}'))
    for name, before in accuracy.get('float32', {}).items():
        print(f'{name}: {before:.4f} in float32, {accuracy[metadata["precision"]][name]:.4f} in this file')
