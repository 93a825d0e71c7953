"""The endpoints: what a request asks for, in terms of faces and galleries."""
import asyncio

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from mlaface.serve import schemas
from mlaface.serve.pictures import crop_url, map_url
from mlaface.serve.refusals import RefusedError
from mlaface.serve.uploads import json_of, read_form

STATUSES = {400: 'the form is torn', 401: 'no key, or an unknown one', 403: 'not allowed to this key',
            408: 'slow upload', 413: 'too many bytes or pixels', 415: 'no image of a known format',
            422: 'no face, or a parameter that is none', 429: 'too many requests of this key',
            503: 'too many requests', 504: 'not done in time'}


async def known_parameters(request: Request):
    """Refuse a parameter in the address that the endpoint does not have: mistyped, it would do nothing."""
    known = [field.alias for field in request.scope['route'].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            has = ', '.join(known) or 'none'
            raise RefusedError(f'{request.url.path} has no parameter {name!r}; it has {has}', 422, 'unknown_parameter')


router = APIRouter(prefix='/v1', dependencies=[Depends(known_parameters)], responses={
    status: dict(model=schemas.Refusal, description=text) for status, text in STATUSES.items()})
ALIGNED = Query(False, description='the images are aligned faces already: nothing is detected')
CROPS = Query(False, description='give the aligned faces too')
ATTENTION = Query(False, description='give attention maps too, if the network has them')
FAR = Query(None, gt=0, lt=1, description='decide by the threshold that was calibrated for this false accept rate')
THRESHOLD = Query(None, ge=-1, le=1, description='decide by this cosine')
K = Query(5, ge=1, le=100, description='people that are named at most')
SCORE = Query('best', pattern='^(best|mean)$', description="a person's score: of the best image, or the mean over all")


def takes(*names, several=False, **fields):
    """How the OpenAPI document describes a body of images and other fields."""
    image = dict(type='string', format='binary')
    properties = {name: dict(type='array', items=image) if several else image for name in names}
    properties |= {name: dict(type='string', description=text) for name, text in fields.items()}
    required = [*names, *(['name'] if 'name' in fields else [])]
    content = {'multipart/form-data': dict(schema=dict(type='object', properties=properties, required=required))}
    if len(names) == 1 and not fields:
        content['image/*'] = dict(schema=image)
    return dict(requestBody=dict(required=True, content=content))


@router.post('/detect', response_model=schemas.Detected, openapi_extra=takes('image'))
async def detect(request: Request, aligned: bool = ALIGNED, crops: bool = CROPS, attention: bool = ATTENTION):
    """Find faces: boxes, five points, quality."""
    service = request.app.state.service
    (picture,), _ = await read_form(request, ('image',))
    faces, size = await service.find(picture, aligned)
    return JSONResponse(_image(size, [await _shown(service, face, crops, attention) for face in faces]))


@router.post('/embed', response_model=schemas.Embedded, openapi_extra=takes('image'))
async def embed(request: Request, aligned: bool = ALIGNED, crops: bool = CROPS):
    """Embed every face of an image."""
    service = request.app.state.service
    (picture,), _ = await read_form(request, ('image',))
    faces, size = await service.find(picture, aligned)
    await service.embed(faces)
    shown = [{**await _shown(service, face, crops), 'embedding': face.embedding.tolist()} for face in faces]
    return JSONResponse({**_image(size, shown), 'model': service.model})


@router.post('/compare', response_model=schemas.Compared, openapi_extra=takes('first', 'second'))
async def compare(request: Request, far: float | None = FAR, threshold: float | None = THRESHOLD,
                  aligned: bool = ALIGNED, crops: bool = CROPS, attention: bool = ATTENTION):
    """Whether the largest faces of two images are one person's."""
    service = request.app.state.service
    pictures, _ = await read_form(request, ('first', 'second'))
    service.decide(far, threshold)
    ones = await asyncio.gather(*(service.one(picture, aligned) for picture in pictures))
    faces, counts, sizes = zip(*ones)
    found = service.inferencer.compare(*faces, far=far, threshold=threshold)
    shown = [await _shown(service, face, crops, attention) for face in faces]
    return JSONResponse(dict(cosine=found.cosine, same=found.same, threshold=found.threshold, far=found.far,
                             reason=found.reason, below=found.below, faces=shown, found=counts, sizes=sizes))


@router.post('/enroll', response_model=schemas.Enrolled, status_code=201, openapi_extra=takes(
    'image', several=True, name='of the person', metadata='JSON object that is kept with each image'))
async def enroll(request: Request, aligned: bool = ALIGNED, crops: bool = CROPS, largest: bool = Query(
        False, description='the largest face of each image; otherwise an image with several is refused')):
    """Keep a person's faces, all of them or none; those that the person has already are skipped. Embeddings are kept,
    images are not."""
    service, galleries, caller = _writer(request)
    pictures, fields = await read_form(request, ('image',), service.limits.files, ('name', 'metadata'))
    if not fields.get('name', '').strip():
        raise RefusedError('field name is missing: whose faces are these?', 422, 'missing_name')
    metadata = json_of(fields.get('metadata'), 'metadata')
    faces = [face for face, *_ in await asyncio.gather(*(service.one(each, aligned, largest) for each in pictures))]
    images = await galleries.enroll(caller, fields['name'], [face.embedding for face in faces], metadata)
    return JSONResponse(dict(name=fields['name'].strip(), images=images, skipped=len(faces) - len(images),
                             faces=[await _shown(service, face, crops) for face in faces]), 201)


@router.post('/identify', response_model=schemas.Identified, openapi_extra=takes('image'))
async def identify(request: Request, k: int = K, score: str = SCORE, far: float | None = FAR,
                   threshold: float | None = THRESHOLD, aligned: bool = ALIGNED, crops: bool = CROPS):
    """Who in the caller's gallery is each face of an image, if anybody?"""
    service, galleries = request.app.state.service, request.app.state.galleries
    (picture,), _ = await read_form(request, ('image',))
    limit, why = service.decide(far, threshold)
    faces, size = await service.find(picture, aligned)
    await service.embed(faces)
    matches, people = await galleries.identify(request.state.caller, [face.embedding for face in faces], k,
                                               limit and limit['threshold'], score)
    shown = [{**await _shown(service, face, crops), 'person': found[0].name if found and limit else None,
              'matches': [match._asdict() for match in found]} for face, found in zip(faces, matches)]
    rate = limit and limit['far']
    made = why or (f'calibrated on {limit["source"]}' if rate else 'the threshold was given')
    return JSONResponse(dict(_image(size, shown), people=people, threshold=limit and limit['threshold'], far=rate,
                             reason=made, stranger_chance=1 - (1 - rate) ** people if rate else None))


@router.get('/people', response_model=schemas.People)
async def people(request: Request):
    """Everybody in the caller's gallery."""
    found = await request.app.state.galleries.people(request.state.caller)
    return JSONResponse(dict(people=[dict(name=name, images=images) for name, images in found.items()]))


@router.get('/people/{name:path}', response_model=schemas.PersonKept)
async def person(request: Request, name: str):
    """What is kept of a person."""
    return JSONResponse(dict(name=name, images=await request.app.state.galleries.person(request.state.caller, name)))


@router.delete('/people/{name:path}', response_model=schemas.Deleted)
async def delete(request: Request, name: str):
    """Delete a person; nothing of it stays in the gallery's files."""
    _, galleries, caller = _writer(request)
    images, cleared, reason = await galleries.delete(caller, name)
    return JSONResponse(dict(name=name, images=images, cleared=cleared, reason=reason))


@router.get('/model')
async def model(request: Request):
    """The network, what it was calibrated for, the server's limits, and what the caller may do."""
    service, galleries, caller = request.app.state.service, request.app.state.galleries, request.state.caller
    limit, why = service.decide()
    report, limits = service.inferencer.calibration or {}, service.limits
    rows = [dict(far=row['far'], threshold=row['threshold']['value'], tar=row['tar']['value'])
            for row in report.get('thresholds', {}).values()]
    return JSONResponse(dict(
        model=service.model, threshold=limit and limit['threshold'], far=limit and limit['far'], reason=why,
        calibrated_on=report.get('inputs'), thresholds=rows, scores=report.get('scores'),
        attention=service.attention is not None, detector=service.finder.detector is not None,
        limits=dict(bytes=limits.body, pixels=limits.pixels, faces=limits.faces, images=limits.files,
                    seconds=limits.seconds),
        gallery=dict(name=caller.name, may_write=caller.may_write, reason=galleries.why_not)))


def _writer(request):
    """Service, galleries and caller of a request that changes a gallery.

    Raises:
        RefusedError: 403 if the key may only read.
    """
    if not request.state.caller.may_write:
        raise RefusedError('this key may only read: enrolling and deleting take another one', 403, 'read_only')
    return request.app.state.service, request.app.state.galleries, request.state.caller


def _image(size, faces):
    return dict(width=size[0], height=size[1], faces=faces)


async def _shown(service, face, crops=False, attention=False):
    """A face as JSON takes it."""
    found = face.record()
    del found['source']
    if crops:
        found['crop'] = crop_url(face.crop)
    if attention and service.attention is not None:
        maps = await service.maps(face)
        found['attention'] = {name: map_url(weights, face.crop.shape[1:]) for name, weights in maps.items()}
    return found
