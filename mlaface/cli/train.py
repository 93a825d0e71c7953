"""Train what a config describes.

Examples:
  python tools/train.py configs/mla_r18w025_synthetic.py
  python tools/train.py configs/mla_r18w025_synthetic.py --resume
  python tools/train.py configs/arcface_mbf_synthetic.py --amp --cfg-options train_cfg.max_epochs=2
  python tools/train.py configs/arcface_mbf_synthetic.py --cfg-options optim_wrapper.optimizer.type=AdamW \\
      optim_wrapper.optimizer.momentum=_delete_ optim_wrapper.optimizer.lr=0.001
  python tools/train.py configs/finetune_r18w025_my_faces.py --load-from best.pth
  bash tools/dist_train.sh configs/mla_r100_ms1mv3.py 8 --auto-scale-lr
"""
import argparse

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.cfg_options import add_cfg_options
from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = command('train', __doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where the run is written (default: work_dirs/NAME OF THE CONFIG)')
    parser.add_argument('--resume', nargs='?', const=True, metavar='PATH',
                        help='continue from PATH, or from the latest good checkpoint of the work directory')
    parser.add_argument('--load-from', metavar='FILE', help='begin with these weights: a checkpoint of any identities, '
                        'whose head is left out, a bare state dict, a published file, or a name of the zoo')
    parser.add_argument('--init-centers', nargs='?', const='class_means', metavar='FILE',
                        help='begin with class centres at the mean embeddings of their classes, or with those of FILE')
    parser.add_argument('--amp', nargs='?', const='bfloat16', choices=['bfloat16', 'float16'],
                        help='mixed precision (without a value: bfloat16)')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='who starts the ranks')
    parser.add_argument('--seed', type=int, help='seed of every random choice (default: drawn, and logged)')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate by the images of one update over auto_scale_lr.base_batch_size')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(argv=None):
    """Train as the arguments say; ``argv`` (list[str]) is by default the process's."""
    options = vars(parse(argv))
    options.pop('local_rank')
    from mlaface.engine.launch import train
    with explained(refused=()):
        train(**options)
