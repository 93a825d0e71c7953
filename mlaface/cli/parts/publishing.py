"""The work of ``mlaface publish``: open, gather what is known, write, put on a hub."""
import tempfile
from pathlib import Path

from mlaface.apis import init_model
from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.results.result import read_result
from mlaface.evaluation.results.thresholds import read_thresholds, thresholds_path
from mlaface.evaluation.suite import bin_suite
from mlaface.utils.errors import InputError
from mlaface.utils.image_files import ENDINGS, image_files
from mlaface.zoo.hub import upload
from mlaface.zoo.model_file import check_name
from mlaface.zoo.publish import publish, quality_range


def run(args):
    """Publish as ``cli.publish``'s arguments (Namespace) say."""
    if args.name:
        check_name(args.name)  # before anything takes long
    if not args.out:
        with tempfile.TemporaryDirectory() as folder:
            _publish(args, folder)
        return
    _publish(args, args.out)


def _publish(args, folder):
    model = init_model(args.checkpoint, args.config, average=not args.no_average, imports=args.imports)
    name = args.name or model.restored.content.get('name') or Path(args.checkpoint).resolve().parent.name
    written = publish(
        model, folder, name, thresholds=_thresholds(args), quality=_quality(args, model),
        result=read_result(args.results) if args.results else None, license_weights=args.license_weights,
        license_data=args.license_data, data=args.data, recipe=args.recipe,
        collection=args.collection, half=args.half, address=args.address)
    for key in ('model', 'card', 'metafile') if args.out else ('model',):
        print(f'{key}: {written[key] if args.out else written[key].name}')
    if args.to:
        print(f'put at {upload(written, args.to, name, args.private)}')


def _thresholds(args):
    if args.thresholds or thresholds_path(args.checkpoint).is_file():
        return read_thresholds(args.checkpoint, args.thresholds)
    return None


def _quality(args, model):
    """The range of lengths on the faces of a folder or a ``.bin`` file."""
    if not args.quality_images:
        return None
    path = Path(args.quality_images)
    if path.is_dir():
        names = [str(file.relative_to(path)) for file in image_files(path, ENDINGS)]
        if not names:
            raise InputError(f'no images in {path}')
        return quality_range(model, ImageFiles(path, names, size=tuple(model.input['size'])), path)
    return quality_range(model, bin_suite([path]).images, path)
