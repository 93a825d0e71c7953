"""How much one request, one caller, and all of them together may take."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is refused.

    Args:
        body (int): Bytes of a request. Default 20 MiB.
        pixels (int): Of an image; more are refused before it is decoded. Default 40 million.
        faces (int): Of an image whose faces are embedded. Default 64.
        files (int): Images of a request that enrols. Default 16.
        queue (int): Requests that are worked on or wait, of all callers. Default 128.
        share (int): The same, of one key. Default 96.
        seconds (float): That a request may take. Default 30.
        upload (float): Seconds until a request must have come in whole. Default 10.
        batch (int): Faces of one forward pass. Default 32.
        wait (float): Seconds that a face waits for others that are being looked for; it never waits for requests that
            have not come. Default 0.005.
    """
    body: int = 20 * 2 ** 20
    pixels: int = 40_000_000
    faces: int = 64
    files: int = 16
    queue: int = 128
    share: int = 96
    seconds: float = 30
    upload: float = 10
    batch: int = 32
    wait: float = 0.005
