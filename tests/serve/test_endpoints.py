"""What the endpoints answer, and that the document says so."""
import numpy as np
import pytest
from starlette.testclient import TestClient

from mlaface.serve import schemas
from tests.serve.served import Grid, png, send, served


def test_faces_are_found_the_largest_first_with_crops(client, drawn):
    answer = send(client, 'detect', '?crops=true', image=png(drawn[0][0], drawn[1][0]))
    found = schemas.Detected(**answer.json())
    assert answer.status_code == 200 and (found.width, found.height) == (224, 112) and len(found.faces) == 2
    assert found.faces[1].box == [112, 0, 224, 112] and found.faces[0].crop.startswith('data:image/jpeg;base64,')
    assert 'norm' not in found.faces[0].quality and found.faces[0].attention is None


def test_a_body_may_be_the_image_itself(client, drawn):
    data = png(drawn[0][0])
    plain = client.post('/v1/embed', content=data, headers={'content-type': 'image/png'})
    assert plain.json() == send(client, 'embed', image=data).json()


def test_embeddings_are_those_of_the_inferencer(client, drawn):
    found = schemas.Embedded(**send(client, 'embed', image=png(drawn[0][0], drawn[1][0])).json())
    rows = np.array([face.embedding for face in found.faces])
    direct = Grid().embed(np.stack([drawn[0][0], drawn[1][0]]).transpose(0, 3, 1, 2))
    np.testing.assert_allclose(rows, direct / np.linalg.norm(direct, axis=1, keepdims=True), atol=1e-6)
    assert found.model.sha256 == '5' * 64 and found.faces[0].quality['norm'] > 1


@pytest.mark.parametrize('query, threshold, far', [('', 0.7, 1e-3), ('?far=0.01', 0.6, 1e-2),
                                                   ('?threshold=0.9999', 0.9999, None)])
def test_two_faces_are_compared_by_the_threshold_that_is_asked_for(query, threshold, far, client, drawn):
    found = schemas.Compared(**send(client, 'compare', query, first=png(drawn[0][0]),
                                    second=png(drawn[0][1], drawn[1][0])).json())
    assert (found.threshold, found.far) == (threshold, far) and found.same == (found.cosine >= threshold)
    assert found.found == [1, 2] and found.sizes == [[112, 112], [224, 112]]
    assert ('drawn.npz' in found.reason) == (far is not None)
    same = send(client, 'compare', query, first=png(drawn[0][0]), second=png(drawn[0][0])).json()
    assert same['same'] and same['cosine'] == pytest.approx(1)


def test_without_a_threshold_there_is_no_verdict_and_a_reason(tmp_path, drawn):
    app = served(tmp_path, calibrated=False)
    with TestClient(app, base_url='http://localhost') as client:
        found = send(client, 'compare', first=png(drawn[0][0]), second=png(drawn[0][0])).json()
        assert found['same'] is None and 'grid is no file' in found['reason']
        assert send(client, 'compare', '?far=1e-3', first=b'', second=b'').json()['error']['code'] == 'no_threshold'
        send(client, 'enroll', image=png(drawn[0][0]), name='Ann')
        face, = send(client, 'identify', image=png(drawn[0][0])).json()['faces']
        assert face['person'] is None and face['matches'][0]['name'] == 'Ann'


def test_people_are_enrolled_found_shown_and_deleted(client, drawn, tmp_path):
    name = 'Ann Lee / Łódź'
    answer = send(client, 'enroll', image=[png(face) for face in drawn[0]], name=f' {name} ', metadata='{"door": 3}')
    assert answer.status_code == 201 and len(schemas.Enrolled(**answer.json()).images) == 2
    send(client, 'enroll', image=png(drawn[1][0]), name='Bob')
    found = schemas.Identified(**send(client, 'identify', '?k=1', image=png(drawn[0][0], drawn[1][0])).json())
    assert [face.person for face in found.faces] == [name, 'Bob'] and found.people == 2
    assert all(len(face.matches) == 1 for face in found.faces)
    assert found.stranger_chance == pytest.approx(1 - 0.999 ** 2)
    assert client.get('/v1/people').json() == dict(people=[dict(name=name, images=2), dict(name='Bob', images=1)])
    kept = schemas.PersonKept(**client.get(f'/v1/people/{name}').json())
    assert [image.metadata for image in kept.images] == [dict(door=3)] * 2
    gone = schemas.Deleted(**client.delete(f'/v1/people/{name}').json())
    assert gone.images == 2 and gone.cleared
    files = b''.join(file.read_bytes() for file in (tmp_path / 'galleries').iterdir())
    assert name.encode() not in files and b'Bob' in files
    left = send(client, 'identify', image=png(drawn[0][0])).json()
    assert left['people'] == 1 and 'Ann' not in str(left)


def test_an_image_that_is_enrolled_again_is_skipped_and_counted(client, drawn):
    first, second = (png(face) for face in drawn[0])
    answers = [send(client, 'enroll', image=images, name='Ann') for images in (first, first, [second, first, second])]
    told = [schemas.Enrolled(**answer.json()) for answer in answers]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert [(each.images, each.skipped, len(each.faces)) for each in told] == [([1], 0, 1), ([], 1, 1), ([2], 2, 3)]
    assert send(client, 'enroll', image=first, name='Bob').json()['images'] == [3]
    assert client.get('/v1/people').json()['people'] == [dict(name='Ann', images=2), dict(name='Bob', images=1)]


def test_no_image_is_kept(client, drawn, tmp_path):
    data = png(drawn[0][0])
    send(client, 'enroll', image=data, name='Ann')
    for file in tmp_path.rglob('*'):
        assert not file.is_file() or data[50:90] not in file.read_bytes()


def test_nobody_is_found_in_an_empty_gallery(client, drawn):
    found = send(client, 'identify', image=png(drawn[0][0])).json()
    assert found['people'] == 0 and found['faces'][0]['matches'] == [] and found['faces'][0]['person'] is None


def test_the_page_is_told_what_there_is(client):
    found = client.get('/v1/model').json()
    assert found['thresholds'][1] == dict(far=1e-3, threshold=0.7, tar=0.9) and found['attention'] is False
    assert found['gallery'] == dict(name='default', may_write=True, reason=None)


def test_attention_comes_with_crops_where_there_is_some(tmp_path, drawn):
    app = served(tmp_path, attention=lambda crop: {'7 x 7': np.linspace(0, 1, 49).reshape(7, 7)})
    with TestClient(app, base_url='http://localhost') as client:
        face, = send(client, 'detect', '?attention=true', image=png(drawn[0][0])).json()['faces']
        assert face['attention']['7 x 7'].startswith('data:image/png;base64,')
        assert client.get('/v1/model').json()['attention'] is True


def test_health_metrics_and_documents(client, drawn):
    assert client.get('/health/live').json() == dict(status='live')
    assert client.get('/health/ready').json() == dict(status='ready', model='grid')
    send(client, 'enroll', image=png(drawn[0][0]), name='Ann')
    client.delete('/v1/people/Ann')
    client.get('/v1/people/Nobody')
    text = client.get('/metrics').text
    assert 'mlaface_requests_total{endpoint="/v1/enroll",status="201"} 1.0' in text
    assert 'mlaface_requests_total{endpoint="/v1/people/{name}",status="200"} 1.0' in text.replace(':path', '')
    assert 'mlaface_refused_total{code="no_such_person"} 1.0' in text
    assert 'mlaface_faces_found_total 1.0' in text and 'mlaface_batch_faces_count 1.0' in text
    assert 'Ann' not in text and 'Nobody' not in text
    paths = client.get('/openapi.json').json()['paths']
    assert {'/v1/detect', '/v1/embed', '/v1/compare', '/v1/enroll', '/v1/identify', '/v1/people'} <= set(paths)
    page = client.get('/docs').text
    assert all(path in page for path in paths) and 'http' not in page.replace('http://localhost:8000', '')


def test_answers_carry_what_keeps_a_browser_safe(client):
    for path in ('/', '/docs', '/page/page.js', '/v1/people', '/none', '/health/live'):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers['content-security-policy'] and 'unsafe' not in str(headers)
        assert headers['x-content-type-options'] == 'nosniff'
    assert client.get('/v1/people').headers['cache-control'] == 'no-store'


def test_the_document_names_every_code_that_is_answered():
    from mlaface.serve.routes import router
    assert {401, 403, 408, 413, 415, 422, 429, 503, 504} <= set(router.responses)


def test_ready_ends_before_the_server_does(tmp_path):
    app = served(tmp_path)
    with TestClient(app, base_url='http://localhost') as client:
        app.app.state.stopping = True
        answer = client.get('/health/ready')
    assert answer.status_code == 503 and answer.headers['retry-after'] == '5'
