"""People and their embeddings, kept safely: enrol, identify, verify, delete; search is exact."""
from mlaface.gallery.gallery import Gallery
from mlaface.gallery.records import Enrolment, Match

__all__ = ['Enrolment', 'Gallery', 'Match']
