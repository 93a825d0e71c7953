"""Objects of S3: s3fs' file system, which lists a page at a time here and tells an object that has become another."""
from s3fs import S3FileSystem

from mlaface.datasets.stores.errors import AnswerError, ChangedError


class ListedS3(S3FileSystem):
    """Reads ranges of the object that was meant, and lists what is below a folder page by page."""

    async def _page(self, url, token=None):
        """Names below a folder, bytes and tags of at most 1000 objects; what to ask the next page by, or None."""
        bucket, key, _ = self.split_path(url)
        prefix, more = f'{key}/' if key else '', dict(ContinuationToken=token) if token else {}
        found = await self._call_s3('list_objects_v2', Bucket=bucket, Prefix=prefix, **more)
        return [(entry['Key'][len(prefix):], entry['Size'], entry.get('ETag', ''))
                for entry in found.get('Contents', ())], found.get('NextContinuationToken')

    async def _cat_file(self, path, start=None, end=None, tag='', **kwargs):
        bucket, key, _ = self.split_path(path)
        found = await self._call_s3('get_object', Bucket=bucket, Key=key, Range=f'bytes={start}-{end - 1}')
        try:
            if tag and found.get('ETag', tag).strip('"') != tag.strip('"'):
                raise ChangedError
            if found.get('ContentType', '').startswith('text/html'):
                raise AnswerError('it is a page of HTML, not the file')
            return await found['Body'].read()
        finally:
            found['Body'].close()
