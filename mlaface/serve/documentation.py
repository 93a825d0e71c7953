"""The OpenAPI document as a page: no script and nothing from elsewhere."""


def document(openapi):
    """A page (str) of an OpenAPI document (dict)."""
    from jinja2 import Environment, PackageLoader
    template = Environment(loader=PackageLoader('mlaface.serve', 'page'), autoescape=True).get_template('docs.jinja')
    return template.render(info=openapi['info'], endpoints=[
        _endpoint(method, path, openapi, entry) for path, methods in openapi['paths'].items()
        for method, entry in methods.items()])


def _endpoint(method, path, openapi, entry):
    bodies = entry.get('requestBody', {}).get('content', {})
    fields = bodies.get('multipart/form-data', {}).get('schema', {})
    answers = [dict(status=status, description=answer['description'], fields=_fields(answer, openapi))
               for status, answer in entry.get('responses', {}).items()]
    return dict(method=method.upper(), path=path, about=entry.get('description') or entry.get('summary', ''),
                parameters=[_parameter(each) for each in entry.get('parameters', [])],
                fields=[_field(name, kind, fields.get('required', []))
                        for name, kind in fields.get('properties', {}).items()],
                answers=answers, example=_example(method, path, fields.get('properties', {})))


def _field(name, schema, required):
    kind = 'files' if schema['type'] == 'array' else 'file' if 'format' in schema else 'text'
    return dict(name=name, kind=kind, about=schema.get('description', ''), required=name in required)


def _parameter(entry):
    schema = entry['schema']
    kinds = [kind for kind in schema.get('anyOf', [schema]) if kind.get('type') != 'null']
    return dict(name=entry['name'], place=entry['in'], kind=kinds[0].get('type', ''),
                about=entry.get('description', ''), default=schema.get('default'))


def _fields(answer, openapi):
    """Names of the fields of an answer (list[str])."""
    schema = answer.get('content', {}).get('application/json', {}).get('schema', {})
    name = schema.get('$ref', '').rpartition('/')[2]
    return list(openapi['components']['schemas'][name]['properties']) if name else []


def _example(method, path, fields):
    """A command of curl (str)."""
    sent = ''.join(f' -F {name}={"Ann" if name == "name" else f"@{name}.jpg"}' for name in fields if name != 'metadata')
    verb = '' if method in ('get', 'post') else f' -X {method.upper()}'
    return f'curl{verb}{sent} http://localhost:8000{path.replace("{name}", "Ann")}'
