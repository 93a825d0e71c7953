"""The application: endpoints, page, health, metrics, and errors that are all of one kind."""
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from mlaface.serve.documentation import document
from mlaface.serve.gate import MISTAKE, Gate
from mlaface.serve.keys import Keys
from mlaface.serve.refusals import RefusedError
from mlaface.serve.routes import router
from mlaface.version import __version__

PAGE = Path(__file__).with_name('page')
KINDS = {'.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8',
         '.js': 'text/javascript; charset=utf-8', '.svg': 'image/svg+xml'}


def make_app(service, galleries, keys=None):
    """An ASGI application.

    Args:
        service (FaceService): Faces and embeddings.
        galleries (Galleries): People.
        keys (Keys or None): Who may ask; None: whoever is on this machine.

    Returns:
        Gate: The application; ``app.state.stopping`` of the one inside tells whether it is about to end.
    """
    keys = Keys() if keys is None else keys
    app = FastAPI(title='mlaface', version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan,
                  summary='Faces found, embedded, compared, enrolled and identified', description=_spoken(keys))
    app.state.service, app.state.galleries, app.state.stopping = service, galleries, False
    app.include_router(router)
    _add_plain(app)
    for kind, handler in ((RefusedError, _refused), (HTTPException, _http), (RequestValidationError, _invalid),
                          (Exception, _mistaken)):
        app.add_exception_handler(kind, handler)
    return Gate(app, keys, service.limits, service.metrics)


@asynccontextmanager
async def _lifespan(app):
    yield
    app.state.stopping = True
    await app.state.service.close()
    await app.state.galleries.close()


def _spoken(keys):
    """How to ask, in words (str)."""
    return 'Images are sent as files. ' + ('Every request carries the header <code>Authorization: Bearer KEY</code>.'
                                           if keys else 'No key is wanted: only this machine is answered.')


def _add_plain(app):
    """Health, metrics, the page and the document."""
    files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in KINDS}

    @app.get('/health/live', tags=['health'])
    async def live():
        """Whether the process answers."""
        return dict(status='live')

    @app.get('/health/ready', tags=['health'])
    async def ready(request: Request):
        """Whether work is taken: the network is loaded and warm, and the server is not about to end."""
        if request.app.state.stopping:
            raise RefusedError('the server is about to end', 503, 'stopping', retry=5)
        return dict(status='ready', model=request.app.state.service.model['name'])

    @app.get('/metrics', tags=['health'], response_class=Response)
    async def metrics(request: Request):
        """Counts and times as Prometheus reads them."""
        found = request.app.state.service.metrics
        return Response(await asyncio.to_thread(found.text), media_type=found.content_type)

    @app.get('/', include_in_schema=False)
    async def page():
        return Response(files['index.html'], media_type=KINDS['.html'])

    @app.get('/page/{name}', include_in_schema=False)
    async def part(name: str):
        if name not in files:  # a name, never a path
            raise RefusedError(f'no file {ascii(name[:80])} here', 404, 'not_found')
        return Response(files[name], media_type=KINDS[Path(name).suffix], headers={'cache-control': 'no-cache'})

    @app.get('/docs', include_in_schema=False)
    async def documentation(request: Request):
        return Response(document(request.app.openapi()), media_type=KINDS['.html'])


def _refused(request, error):
    request.app.state.service.metrics.refused.labels(error.code).inc()
    return JSONResponse(error.content, error.status, headers=error.headers)


def _http(request, error):
    """What the framework itself refuses: 404, 405."""
    path = ascii(request.url.path[:80])
    text = {404: f'no endpoint {path}: GET /docs lists them',
            405: f'{path} takes no {request.method}: GET /docs says what it takes'}.get(error.status_code, error.detail)
    code = {404: 'not_found', 405: 'method_not_allowed'}.get(error.status_code, 'bad_request')
    return _refused(request, RefusedError(text, error.status_code, code))


def _invalid(request, error):
    """A parameter that is none, in a line."""
    first = error.errors()[0]
    return _refused(request, RefusedError(f'parameter {first["loc"][-1]}: {first["msg"]}', 422, 'bad_parameter'))


def _mistaken(request, error):
    """What nobody foresaw; the gate writes it to the log."""
    return _refused(request, RefusedError(MISTAKE, 500, 'internal_error'))
