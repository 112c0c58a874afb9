"""Absolute addresses in answers: of the farm itself and of its pictures."""

from flask import request

from myriad import clock
from myriad.inputs import INPUT_TYPE, input_key
from myriad.link import sign_link
from myriad.record import ImageRecord
from web.farm import current_farm


def base_url() -> str:
    """Where this farm is found: as the operator says, else as the request came; no final slash."""
    return (current_farm().settings.public_url or request.root_url).rstrip("/")


def image_url(image: ImageRecord) -> str:
    """A short-lived absolute address of the picture."""
    return current_farm().picture_url(image, base_url())


def own_image_url(image: ImageRecord) -> str:
    """The same on this very host wherever pictures are stored.

    Some clients send their API key along to whatever address they are given.
    """
    farm = current_farm()
    ends = clock.after(farm.settings.link_ttl_s)
    return f"{base_url()}/files/{sign_link(farm.secret, image.storage_key, ends)}"


def thumbnail_url(image: ImageRecord) -> str:
    """The same of its small version, or of the picture itself where there is none."""
    if image.thumbnail_key is None:
        return image_url(image)
    return current_farm().file_url(image.thumbnail_key, "image/webp", base_url())


def input_url(digest: str) -> str:
    """The same of a picture that was handed in."""
    return current_farm().file_url(input_key(digest), INPUT_TYPE, base_url())
