"""Speed and memory, as ratios measured in one run: ``benchmark.py {data,train,infer,extract,head,eval} ...``."""
import sys
from importlib import import_module

SUBJECTS = dict(data='decoding and loading of images', train='training step, against a bare loop',
                infer='embedding extraction', extract='images of a set to embeddings, as tools/test.py',
                head='classifier: full, sampled, chunked', eval='protocols at full size')


def main():
    """Hand the arguments to the subject's own command."""
    if len(sys.argv) < 2 or sys.argv[1] not in SUBJECTS:
        print('usage: benchmark.py SUBJECT [--help | options]\n')
        print('\n'.join(f'  {name:8} {what}' for name, what in SUBJECTS.items()))
        print('\nExample: python tools/analysis/benchmark.py train configs/mla_mbf_synthetic.py --bare --out b.json')
        sys.exit(0 if sys.argv[1:2] in (['-h'], ['--help']) else 2)
    import_module(f'mlaface.cli.benchmarks.{sys.argv[1]}').main(sys.argv[2:])


if __name__ == '__main__':
    main()
