"""Parts of files over http(s): fsspec's file system with each answer checked before a byte of it is believed."""
import re
from urllib.parse import urljoin, urlsplit

from fsspec.implementations.http import HTTPFileSystem

from mlaface.datasets.stores.errors import AnswerError

REDIRECTS = 5
REDIRECTED = (301, 302, 303, 307, 308)


class RangedHTTP(HTTPFileSystem):
    """Reads ranges, and nothing but what was asked for: other parts, pages and whole files are refused unread.

    Redirects are followed five times, to http and https, never from https to http; what they lead to is not shown.
    """

    async def _open_range(self, url, start, end):
        session = await self.set_session()
        for _ in range(REDIRECTS + 1):
            answer = await session.get(self.encode_url(url), allow_redirects=False, headers={
                'Range': f'bytes={start}-{end - 1}', 'Accept-Encoding': 'identity'})
            if answer.status not in REDIRECTED:
                return answer
            answer.close()
            here, url = urlsplit(url).scheme, urljoin(url, answer.headers.get('Location', ''))
            there = urlsplit(url).scheme
            if there not in ('http', 'https') or (here, there) == ('https', 'http'):
                raise AnswerError(f'a redirect leads to {there or "nowhere"}, which is not followed: only http and '
                                  'https are, and not from https to http')
        raise AnswerError('it redirects without an end')

    @staticmethod
    def _check(answer):
        status = answer.status
        if status >= 400 and status != 416:
            raise AnswerError(f'the server says {status}', status, status in (408, 425, 429) or status >= 500)
        if answer.headers.get('Content-Encoding', 'identity') != 'identity':
            raise AnswerError('the server compresses what it was asked to send as it is')
        if answer.headers.get('Content-Type', '').startswith('text/html'):
            raise AnswerError('it is a page of HTML, not the file: the address, or a login before it, is wrong')

    async def _info(self, url, **kwargs):
        answer = await self._open_range(url, 0, 1)
        try:
            self._check(answer)
            stated = re.fullmatch(r'bytes (?:0-0|\*)/(\d+)', answer.headers.get('Content-Range', '').strip())
            if answer.status in (206, 416) and stated:
                size, ranges = int(stated[1]), True
            elif answer.status == 200 and answer.headers.get('Content-Length', '').isdigit():
                size, ranges = int(answer.headers['Content-Length']), False
            else:
                raise AnswerError('the server does not say how long the file is')
            tag = answer.headers.get('ETag') or answer.headers.get('Last-Modified', '')
            return dict(name=url, type='file', size=size, ETag=tag, ranges=ranges)
        finally:
            answer.close()

    async def _cat_file(self, url, start=None, end=None, **kwargs):
        answer = await self._open_range(url, start, end)
        try:
            self._check(answer)
            if answer.status == 206:
                stated = answer.headers.get('Content-Range', '').strip()
                if not re.fullmatch(rf'bytes {start}-{end - 1}/(\d+|\*)', stated):
                    raise AnswerError('the server sent another part than was asked for', passing=True)
            elif answer.status != 200 or start or answer.headers.get('Content-Length') != str(end):
                raise AnswerError('the server knows no ranges, or the file has become another one')
            data = bytearray()
            async for piece in answer.content.iter_any():
                data += piece
                if len(data) > end - start:
                    raise AnswerError('the server sends more than was asked for', passing=True)
            return bytes(data)
        finally:
            answer.close()
