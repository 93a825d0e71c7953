"""The table of docs/scale.md: peaks and communication of a step, from 93 thousand to 100 million identities."""
from dataclasses import replace

from mlaface.engine.memory_plan import plan

IDENTITIES = (93_431, 360_232, 2_000_000, 10_000_000, 100_000_000)
RANKS = (1, 8, 64, 512)
SAMPLE_RATE, CHUNK = 0.1, 16384


def table_rows(trunk, head):
    """Rows of the table in docs/scale.md.

    Args:
        trunk (dict): What ``trunk_memory`` gives.
        head (HeadPlan): Batch, width and optimizer, whose form by rows is taken; classes and ranks are the table's.

    Returns:
        list[dict]: ``classes``, ``gpus``, bytes of ``full``, ``chunked``, ``sampled`` and ``both`` (peaks), ``trunk``
        and ``head`` (sent a step and rank).
    """
    rows = []
    for classes in IDENTITIES:
        for gpus in RANKS:
            base = replace(head, classes=classes, gpus=gpus, sample_rate=1.0, chunk_size=None,
                           optimizer='Row' + head.optimizer.removeprefix('Row'))
            sampled, chunked = dict(sample_rate=SAMPLE_RATE), dict(chunk_size=CHUNK)
            forms = dict(full={}, chunked=chunked, sampled=sampled, both=dict(sampled, **chunked))
            peaks = {name: plan(trunk, replace(base, **form))['peak'] for name, form in forms.items()}
            rows.append(dict(classes=classes, gpus=gpus, **peaks, **base.communication(trunk['numbers'])))
    return rows


def show_table(rows):
    """Print the table as Markdown."""
    print(f'| identities | GPUs | full | chunked {CHUNK} | sampled {SAMPLE_RATE} | sampled and chunked | trunk sends '
          '| head sends |\n|---|---|---|---|---|---|---|---|')
    for row in rows:
        sizes = [f'{row[name] / 1e9:,.1f}' for name in ('full', 'chunked', 'sampled', 'both')]
        sent = [f'{row["trunk"] / 1e6:,.0f}', f'{row["head"] / 1e6:,.1f}']
        cells = [f'{row["classes"]:,}', str(row['gpus']), *sizes, *sent]
        print(f'| {" | ".join(cells)} |')
