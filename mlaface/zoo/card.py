"""The card of a published model: what it is, what it reaches by which rules, whose it is, in Markdown."""
from pathlib import Path

from mlaface.zoo.metafile import index_results


def model_card(facts):
    """A card with the front matter that hubs read.

    Args:
        facts (dict): Metadata of the model file, with ``file``, ``sha256``, ``size`` (bytes), ``parameters`` and
            ``warning`` (str or None).

    Returns:
        str: Markdown.
    """
    import jinja2
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
                                     keep_trailing_newline=True)
    text = Path(__file__).with_name('card.md.jinja').read_text()
    return environment.from_string(text).render(
        facts, benchmarks=index_results(facts['results']), targets=(facts['thresholds'] or {}).get('thresholds', {}))
