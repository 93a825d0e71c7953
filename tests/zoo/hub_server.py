"""The part of the Hugging Face Hub's protocol that publishing and downloading a model takes, on loopback."""
import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import yaml

from tests.zoo.server import serve

TOKEN = 'hf_test'


class Hub:
    """Repositories: name -> list of revisions, each a dict of files; ``large`` are contents by hash."""

    def __init__(self):
        self.repos, self.large, self.requests, self.lie = {}, {}, [], None

    def files(self, repo, revision='main'):
        commits = self.repos[repo]
        return commits[-1] if revision == 'main' else commits[int(revision, 16)]

    def sha(self, repo, revision='main'):
        return f'{len(self.repos[repo]) - 1 if revision == "main" else int(revision, 16):040x}'


def _listed(name, content):
    size, large = len(content), name.endswith('.safetensors')
    oid = hashlib.sha256(content).hexdigest()
    return dict(rfilename=name, size=size, blobId=oid[:40],
                **({'lfs': dict(sha256=oid, size=size, pointerSize=130)} if large else {}))


class Handler(BaseHTTPRequestHandler):
    hub = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.route([(r'/api/models/([^/]+/[^/]+)/tree/(\w+)', self.tree),
                    (r'/api/models/([^/]+/[^/]+)(?:/revision/(\w+))?', self.info),
                    (r'/([^/]+/[^/]+)/resolve/(\w+)/(.+)', self.resolve), (r'/cdn/(\w+)/(\w+)/(.+)', self.content)])

    def do_POST(self):
        if self.headers.get('Authorization') != f'Bearer {TOKEN}':
            return self.reply(dict(error='Invalid username or password.'), 401)
        self.route([(r'/api/repos/create', self.create), (r'/api/validate-yaml', self.validate),
                    (r'/api/models/([^/]+/[^/]+)/preupload/main', self.modes),
                    (r'/([^/]+/[^/]+)\.git/info/lfs/objects/batch', self.batch),
                    (r'/api/models/([^/]+/[^/]+)/commit/main', self.commit)])

    def do_PUT(self):
        body = self.body()
        self.hub.large[self.path.rpartition('/')[2]] = body
        self.reply({})

    def route(self, routes):
        self.hub.requests.append((self.command, self.path, dict(self.headers)))
        for pattern, function in routes:
            found = re.fullmatch(pattern, urlsplit(self.path).path)
            if found:
                groups = [group or 'main' for group in found.groups()]
                if groups and 'cdn' not in self.path and groups[0] not in self.hub.repos:
                    return self.reply(dict(error='Repository not found'), 404, {'X-Error-Code': 'RepoNotFound'})
                return function(*groups)
        self.reply(dict(error='no such route'), 404)

    def body(self):
        return self.rfile.read(int(self.headers.get('Content-Length', 0)))

    def reply(self, content, status=200, headers=None):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {'Content-Length': len(data), **(headers or {})}.items():
            self.send_header(key, str(value))
        self.end_headers()
        self.wfile.write(data)

    def here(self):
        return f'http://{self.headers["Host"]}'

    def info(self, repo, revision):
        listed = [_listed(*item) for item in self.hub.files(repo, revision).items()]
        self.reply(dict(id=repo, sha=self.hub.sha(repo, revision), siblings=listed, tags=[], private=False))

    def tree(self, repo, revision):
        self.reply([dict(type='file', path=name, size=len(data), oid='0' * 40)
                    for name, data in self.hub.files(repo, revision).items()])

    def resolve(self, repo, revision, name):
        self.reply({}, 302, {'Location': f'{self.here()}/cdn/{repo.replace("/", "_")}/{revision}/{name}'})

    def content(self, repo, revision, name):
        data = self.hub.files(repo.replace('_', '/', 1), revision)[name]
        self.reply(self.hub.lie or data)

    def create(self):
        asked = json.loads(self.body())
        repo = f'{asked["organization"]}/{asked["name"]}'
        status = 409 if repo in self.hub.repos else 200
        self.hub.repos.setdefault(repo, [{}])
        self.reply(dict(url=f'{self.here()}/{repo}'), status)

    def validate(self):
        front = json.loads(self.body())['content'].split('---')[1]
        kinds = {key: type(value) for key, value in yaml.safe_load(front).items()}
        wrong = [] if kinds.get('tags') is list else [dict(message='tags must be an array')]
        self.reply(dict(errors=wrong, warnings=[]), 400 if wrong else 200)

    def modes(self, repo):
        files = json.loads(self.body())['files']
        modes = {file['path']: 'lfs' if file['path'].endswith('.safetensors') else 'regular' for file in files}
        self.reply(dict(files=[dict(path=path, shouldIgnore=False, uploadMode=mode)
                               for path, mode in modes.items()]))

    def batch(self, repo):
        objects = json.loads(self.body())['objects']
        self.reply(dict(transfer='basic', objects=[
            dict(oid=one['oid'], size=one['size'],
                 actions=dict(upload=dict(href=f'{self.here()}/upload/{one["oid"]}'))) for one in objects]))

    def commit(self, repo):
        files = dict(self.hub.files(repo))
        for line in map(json.loads, self.body().splitlines()):
            value = line['value']
            if line['key'] == 'file':
                files[value['path']] = base64.b64decode(value['content'])
            elif line['key'] == 'lfsFile':
                files[value['path']] = self.hub.large[value['oid']]
            elif line['key'] == 'deletedFile':
                del files[value['path']]
        self.hub.repos[repo].append(files)
        sha = self.hub.sha(repo)
        self.reply(dict(success=True, commitUrl=f'{self.here()}/{repo}/commit/{sha}', commitOid=sha, hookOutput=''))


@contextmanager
def serve_hub(hub):
    """Serve a ``Hub``; gives the address, which ``HF_ENDPOINT`` names."""
    with serve({}, handler=type('HubHandler', (Handler,), dict(hub=hub))) as address:
        yield address
