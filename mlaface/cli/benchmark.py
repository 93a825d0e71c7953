"""Speed and memory, as ratios measured in one run; a subject is a module of ``mlaface.cli.benchmarks``."""
import sys

from mlaface.cli.main import dispatch
from mlaface.cli.parts.errors import explained

SUBJECTS = dict(data='decoding and loading of images',
                executors='where pieces of a job run: this machine, Ray, others',
                cleaning='what dedupe, leak and clean find of planted faults',
                train='training step, against a bare loop',
                attention='what each attention plugin costs in each backbone',
                detectors='faces found, point error and time of detectors',
                inference='photographs and faces to embeddings, from the shell',
                infer='embedding extraction',
                export='exported files: torch, ONNX Runtime, OpenVINO, in 32 to 8 bits',
                extract='images of a set to embeddings, as tools/test.py',
                head='classifier: full, sampled, chunked', eval='protocols at full size',
                load='weights read with every byte checked',
                gallery='enrolling and finding people',
                serve='the server: many clients at once, and one, over the bare network')
HEAD = 'usage: mlaface benchmark SUBJECT [--help | options]'
EXAMPLES = 'example: mlaface benchmark train configs/mla_mbf_synthetic.py --bare --out b.json'


def main(argv=None):
    """Hand the arguments to the subject's own command; ``argv`` (list[str]) is by default the process's."""
    with explained():
        dispatch('mlaface.cli.benchmarks', SUBJECTS, sys.argv[1:] if argv is None else argv, HEAD, EXAMPLES)
