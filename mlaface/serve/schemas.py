"""What answers look like; the OpenAPI document is made of these."""
from pydantic import BaseModel, Field


class Face(BaseModel):
    """A face in an image."""
    box: list[float] = Field(description='x1, y1, x2, y2 in pixels of the upright image')
    points: list[list[float]] = Field(description='eyes, nose, corners of the mouth, the left one in the image first')
    score: float = Field(description='of the detector, 0 to 1')
    quality: dict[str, float] = Field(description='sharpness, size in pixels, yaw, pitch, roll in degrees, and norm of '
                                      'the embedding where there is one')
    crop: str | None = Field(None, description='the aligned face as a data: URL, with crops=true')
    attention: dict[str, str] | None = Field(None, description='maps over the crop as data: URLs, with attention=true '
                                             'and a network that has them')


class Detected(BaseModel):
    """Faces of an image, the largest first."""
    width: int
    height: int
    faces: list[Face]


class EmbeddedFace(Face):
    """A face with its embedding."""
    embedding: list[float] = Field(description='of unit length')


class ModelName(BaseModel):
    """What embeddings belong to; those of two models cannot be compared."""
    name: str
    sha256: str | None
    embedding_size: int
    flip: str


class Embedded(Detected):
    """Faces of an image with their embeddings."""
    model: ModelName
    faces: list[EmbeddedFace]


class Compared(BaseModel):
    """Two faces compared."""
    cosine: float
    same: bool | None = Field(description='whether the cosine reaches the threshold; null where there is none')
    threshold: float | None
    far: float | None = Field(description='the false accept rate that the threshold was calibrated for')
    reason: str = Field(description='what the threshold is made of, or why there is none')
    below: dict[str, float] | None = Field(description="shares of the calibration's pairs, different and same, whose "
                                           'cosine is lower; null where it keeps none')
    faces: list[Face] = Field(description='the largest face of first and of second')
    found: list[int] = Field(description='how many faces each image has')
    sizes: list[list[int]] = Field(description='width and height of each image')


class Enrolled(BaseModel):
    """What is kept now. It is on the disk."""
    name: str
    images: list[int] = Field(description='numbers of the images that were not there')
    skipped: int = Field(description='images that were there already, and are left as they are')
    faces: list[Face]


class Match(BaseModel):
    """A person who is like the face."""
    name: str
    cosine: float
    image: int


class NamedFace(Face):
    """A face with the people who are like it."""
    person: str | None = Field(description='the best match, if it reaches the threshold; null: nobody, or no threshold')
    matches: list[Match] = Field(description='people who reach the threshold, or the k best where there is none')


class Identified(Detected):
    """Faces of an image, named."""
    people: int = Field(description='who are enrolled')
    threshold: float | None
    far: float | None
    reason: str
    stranger_chance: float | None = Field(description='about how often a stranger is taken for somebody, with so many '
                                          'people and this false accept rate of pairs')
    faces: list[NamedFace]


class Person(BaseModel):
    """Somebody who is enrolled."""
    name: str
    images: int


class People(BaseModel):
    """Everybody, in the order of enrolment."""
    people: list[Person]


class Image(BaseModel):
    """An enrolled image: its embedding is kept, the image is not."""
    image: int
    metadata: dict | None


class PersonKept(BaseModel):
    """What is kept of a person, besides the embeddings."""
    name: str
    images: list[Image]


class Deleted(BaseModel):
    """A person who is not kept any more."""
    name: str
    images: int
    cleared: bool = Field(description='whether the files hold nothing more of it')
    reason: str | None = Field(description='why not')


class Problem(BaseModel):
    """Why a request was refused."""
    code: str = Field(description='a word that stays the same')
    message: str = Field(description='what is wrong, and what to do')


class Refusal(BaseModel):
    """An error."""
    error: Problem
