"""Pages for people: form, job, gallery, API reference, login."""

from web.pages import docs, form, gallery, job, login
from web.pages.blueprint import pages

__all__ = ["docs", "form", "gallery", "job", "login", "pages"]
