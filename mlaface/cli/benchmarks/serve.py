"""The server on loopback: one client's wait over the networks' own time, and many clients over the bare network.

Clients send aligned faces as JPEG to /v1/embed, each the next one when it has its answer. The bare network gets faces
that are decoded already, in this process. One client sends photographs too, in turn with detector and network alone on
what is decoded and cut out already. Processor time is the figure that travels from a machine that others use too.

Examples:
  mlaface benchmark serve
  mlaface benchmark serve --faces data/dev_lfw.bin --photographs photos/ --clients 1 --seconds 1
  mlaface benchmark serve --clients 16 --seconds 10 --out serve.json
"""
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command, count
from mlaface.utils.errors import InputError

BATCH, TURNS = 32, 5


def parser():
    """The command line."""
    cli = command('benchmark serve', __doc__)
    cli.add_argument('--clients', type=count, default=64, metavar='N', help='at once (default: 64)')
    cli.add_argument('--seconds', type=float, default=60, metavar='S', help='that they ask for (default: 60)')
    cli.add_argument('--requests', type=count, default=60, metavar='N', help='of the one client (default: 60)')
    cli.add_argument('--model', default='sface', help='an ONNX file, or sface (default)')
    cli.add_argument('--faces', metavar='BIN', help='verification set of aligned faces (default: drawn ones)')
    cli.add_argument('--photographs', metavar='DIR', help='that one client sends (default: each one of the faces on '
                     'a picture of 640 x 640)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


@contextmanager
def started(model):
    """A server of a model in a process of its own; gives its port."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, '-m', 'mlaface.cli.main', 'serve', '--port', '0', '--galleries', folder, '--model', model],
            stdout=subprocess.PIPE, text=True)
        try:
            yield int(process.stdout.readline().split()[2].rpartition(':')[2])
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


class Client:
    """A connection to the server that is kept."""

    async def open(self, port):
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection('127.0.0.1', port)
        return self

    async def ask(self, path, body=b''):
        """Send a request; gives the status (int) and the answer (bytes)."""
        method = 'POST' if body else 'GET'
        self.writer.write(f'{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n'
                          f'Content-Length: {len(body)}\r\n\r\n'.encode() + body)
        head = (await self.reader.readuntil(b'\r\n\r\n')).lower()
        length = int(re.search(rb'content-length: (\d+)', head)[1])
        return int(head.split(b' ', 2)[1]), await self.reader.readexactly(length)


async def processor_seconds(port):
    """What the server's process has used so far (float), as it says itself."""
    client = await Client().open(port)
    _, text = await client.ask('/metrics')
    client.writer.close()
    return float(re.search(rb'^process_cpu_seconds_total (\S+)', text, re.M)[1])


async def alone(port, path, images, requests, bare):
    """One client, in turn with the bare networks.

    Args:
        port (int): Of the server.
        path (str): What is asked for.
        images (list[bytes]): Encoded, sent one after another.
        requests (int): How many are counted.
        bare (callable): ``bare(number)`` runs the networks alone for one of the images.

    Returns:
        tuple[list[float], list[float]]: Seconds of the requests, and of the networks.
    """
    client, waited, network = await Client().open(port), [], []
    for number in range(requests + TURNS):
        start = time.perf_counter()
        status, answer = await client.ask(path, images[number % len(images)])
        middle = time.perf_counter()
        assert status == 200, answer
        bare(number % len(images))
        if number >= TURNS:
            waited.append(middle - start)
            network.append(time.perf_counter() - middle)
    client.writer.close()
    return waited, network


async def together(port, encoded, clients, seconds):
    """Many clients for some time.

    Returns:
        dict: ``waited`` (list of seconds), ``statuses`` (Counter; 0 is a broken connection), ``seconds``, and
        ``processor`` seconds of the server.
    """
    waited, statuses, before = [], Counter(), await processor_seconds(port)
    start = time.perf_counter()

    async def one(number):
        client = await Client().open(port)
        while time.perf_counter() < start + seconds:
            asked = time.perf_counter()
            try:
                status, _ = await client.ask('/v1/embed?aligned=true', encoded[number % len(encoded)])
            except (OSError, EOFError):
                status, client = 0, await Client().open(port)
            waited.append(time.perf_counter() - asked)
            statuses[status] += 1
            number += 1
        client.writer.close()
    await asyncio.gather(*map(one, range(clients)))
    spent = time.perf_counter() - start
    return dict(waited=waited, statuses=statuses, seconds=spent, processor=await processor_seconds(port) - before)


def bare_network(model, crops):
    """Callable that embeds so many faces at once by ONNX Runtime alone; gives wall and processor seconds."""
    from mlaface.apis.networks import open_network
    network = open_network(model)
    if not hasattr(network, 'session'):
        raise InputError(f'{model} is no ONNX file, which the bare network is')
    prepared = network.format.prepare(crops)

    def run(faces):
        start, processor = time.perf_counter(), time.process_time()
        network.session.run([network.output], {network.input.name: prepared[:faces]})
        return time.perf_counter() - start, time.process_time() - processor
    return run


def bare_photographs(bare, images):
    """Callable that finds the faces of one of the images (RGB arrays) and embeds them, by the two networks alone.

    Returns:
        tuple: The callable, of the image's number, and the number of faces in all (int).

    Raises:
        InputError: If the images have no face.
    """
    from mlaface.apis.inference import build_detector
    from mlaface.inference.finder import FaceFinder
    detector = build_detector('yunet')
    counts = [len(faces) for _, faces, _ in FaceFinder(detector).find(images)]
    if not any(counts):
        raise InputError('no face is found in the photographs')

    def run(number):
        detector.detect(images[number])
        if counts[number]:
            bare(counts[number])
    return run, sum(counts)


def photographs_of(folder, crops):
    """Photographs as JPEG (list[bytes]): the files of a folder, or each of the faces (3, 112, 112) on a picture."""
    import numpy as np

    from mlaface.cli.benchmarks.detectors import SIDE, SITUATIONS, compose
    from mlaface.datasets.formats.jpeg import encode
    from mlaface.inference.sources import open_sources
    if folder:
        return [encode(source.read()) for source in open_sources(folder)]
    rng = np.random.default_rng(0)
    plain = [np.tile(np.linspace(60, 190, SIDE, dtype=np.uint8)[:, None, None], (1, SIDE, 3))]
    return [encode(compose([crop.transpose(1, 2, 0)], plain, SITUATIONS['one'], rng)[0]) for crop in crops]


def faces_of(file):
    """Encoded faces (list[bytes]): of a verification set, or drawn ones."""
    if file:
        from mlaface.datasets.formats.bin_set import read_bin
        return list(read_bin(file).images[:2 * BATCH])
    from mlaface.datasets.synthetic.official import draw
    return [image for person in draw(BATCH, 2) for image in person]


def main(argv=None):
    """Measure as the arguments say; returns 1 if a request failed."""
    args = parser().parse_args(argv)
    import numpy as np

    from mlaface.datasets.formats.jpeg import decode
    encoded = faces_of(args.faces)
    crops = np.stack([decode(image).transpose(2, 0, 1) for image in encoded[:BATCH]])
    bare = bare_network(args.model, crops)
    photographs = photographs_of(args.photographs, crops)
    both, found = bare_photographs(bare, list(map(decode, photographs)))
    with started(args.model) as port:
        one = asyncio.run(alone(port, '/v1/embed?aligned=true', encoded, args.requests, lambda _: bare(1)))
        photograph = asyncio.run(alone(port, '/v1/embed', photographs, args.requests, both))
        before = [bare(BATCH) for _ in range(TURNS)]
        load = asyncio.run(together(port, encoded, args.clients, args.seconds))
        after = [bare(BATCH) for _ in range(TURNS)]
    harness.show(report(args, one, photograph, before[1:] + after[1:], load), args.out)
    print(f'{len(photographs)} photographs with {found} faces')
    failed = sum(load['statuses'].values()) - load['statuses'][200]
    print(f'{load["statuses"][200]:,} answers to {args.clients} clients in {load["seconds"]:.0f} s, {failed} failed'
          + (f': {dict(load["statuses"])}' if failed else ''))
    return int(failed > 0)


def report(args, one, photograph, bare, load):
    """Benchmark JSON of what was measured."""
    (waited, network), (photographs, both) = one, photograph
    answered = load['statuses'][200]
    wall, processor = ([each[place] / BATCH * 1e3 for each in bare] for place in (0, 1))
    many = f'{args.clients} clients'
    rows = [harness.row('one client: waits', [1e3 * each for each in waited], 'ms'),
            harness.row('network alone, one face', [1e3 * each for each in network], 'ms'),
            harness.row('one client: waits for a photograph', [1e3 * each for each in photographs], 'ms'),
            harness.row('detector and network alone, a photograph', [1e3 * each for each in both], 'ms'),
            harness.row(f'{many}: wait', [1e3 * each for each in load['waited']], 'ms'),
            harness.row(f'{many}: faces', [answered / load['seconds']], '1/s'),
            harness.row(f'network alone, {BATCH} faces', [1e3 / each for each in wall], 'faces/s'),
            harness.row(f'{many}: processor time a face', [1e3 * load['processor'] / max(answered, 1)], 'ms'),
            harness.row(f'network alone, {BATCH} faces: processor time a face', processor, 'ms')]
    medians = {row['case']: row['median'] for row in rows}
    ratios = {'time, one client over the network alone': harness.paired_ratio(waited, network),
              'p50 of one client over p50 of the network': statistics.median(waited) / statistics.median(network),
              'time, a photograph over detector and network alone': harness.paired_ratio(photographs, both),
              'p50 of a photograph over p50 of detector and network':
                  statistics.median(photographs) / statistics.median(both),
              f'faces/s, {many} over the bare network': medians[f'{many}: faces'] * statistics.median(wall) / 1e3,
              f'processor time, {many} over the bare network':
                  medians[f'{many}: processor time a face'] / statistics.median(processor)}
    return harness.result('serve', rows, ratios)
