"""Memory of images lies where libjpeg-turbo writes through the cache."""
import pytest

from mlaface.datasets.sets._base import FaceDataset
from mlaface.engine.loader import _Allocator, _SharedImages
from mlaface.utils.image_memory import image_memory


@pytest.mark.parametrize('share', [False, True])
def test_no_image_of_an_even_size_begins_at_a_multiple_of_16(share):
    images = image_memory((5, 112, 112, 3), share)
    assert images.shape == (5, 112, 112, 3) and images.is_contiguous() and images.is_shared() == share
    assert all(image.data_ptr() % 16 for image in images)


def test_data_sets_decode_into_it_with_and_without_workers():
    assert FaceDataset().allocate((2, 4, 4, 3)).data_ptr() % 16
    allocate = _Allocator(_SharedImages(workers=1, count=2, size=96), 0)
    within, larger = allocate((2, 4, 4, 3)), allocate((3, 4, 4, 3))
    assert within.data_ptr() % 16 and larger.data_ptr() % 16
    assert within.is_shared() and not larger.is_shared()
