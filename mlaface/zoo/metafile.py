"""The entry of an index for a published model, in OpenMMLab's form."""
from mlaface.evaluation.results.tables import rules_text


def metafile(facts):
    """An entry as YAML.

    Args:
        facts (dict): Metadata of the model file, with ``collection``, ``file``, ``sha256``, ``size`` (bytes),
            ``parameters``, and ``weights_address`` and ``warning`` (str or None).

    Returns:
        str: ``Models`` with one model, which has ``Weights`` if it has an address.
    """
    import yaml
    metadata = {'Training Data': facts['data'], 'Parameters': facts['parameters'], 'File': facts['file'],
                'File Size': facts['size'], 'SHA256': facts['sha256'], 'License Weights': facts['license_weights'],
                'License Data': facts['license_data'], 'Warning': facts.get('warning'), 'Commit': facts['commit']}
    model = {'Name': facts['name'], 'In Collection': facts['collection'], 'Config': facts['recipe'],
             'Weights': facts.get('weights_address'), 'Metadata': _known(metadata),
             'Results': index_results(facts['results'])}
    return yaml.safe_dump(dict(Models=[_known(model)]), sort_keys=False, width=118)


def _known(values):
    return {key: value for key, value in values.items() if value not in (None, [])}


def index_results(result):
    """The accuracies of result JSON as an index has them.

    Args:
        result (dict or None): Result JSON.

    Returns:
        list[dict]: ``Task``, ``Dataset``, ``Metrics`` (fractions) and ``Rules`` of each benchmark that has an accuracy.
    """
    found = []
    for name, entry in ((result or {}).get('benchmarks') or {}).items():
        accuracy = entry['metrics'].get('accuracy')
        if accuracy is None:
            continue
        metrics = {'Accuracy': round(accuracy['value'], 6)}
        if 'auc' in entry['metrics']:
            metrics['AUC'] = round(entry['metrics']['auc']['value'], 6)
        found.append({'Task': 'Face Verification', 'Dataset': name, 'Metrics': metrics,
                      'Rules': rules_text(entry['rules'])})
    return found

