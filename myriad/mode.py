"""What a request starts from and what it makes."""

from enum import StrEnum


class Mode(StrEnum):
    """The modes of generation, named by their tasks as model hubs name them."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    INPAINTING = "inpainting"
    TEXT_TO_VIDEO = "text-to-video"
