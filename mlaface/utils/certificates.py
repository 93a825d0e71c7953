"""Servers whose certificate is refused, whichever library has asked them."""


def refused_certificate(error):
    """What is wrong with a server's certificate, and what to do about it.

    Args:
        error (Exception): Of ``urllib``, aiohttp or botocore.

    Returns:
        str | None: One line; None where the error is another one.
    """
    while isinstance(error, Exception):
        said = getattr(error, 'verify_message', None)
        if said:
            return (f'its certificate is not trusted ({said}): SSL_CERT_FILE, for S3 AWS_CA_BUNDLE, set before Python '
                    'starts, names the file of authorities that are')
        inner = getattr(error, 'certificate_error', None) or getattr(error, 'reason', None)
        error = inner if isinstance(inner, Exception) else error.__cause__ or error.__context__
    return None
