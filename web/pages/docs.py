"""The API reference: Swagger UI, served from here like everything else."""

from flask import render_template

from web.pages.blueprint import pages


@pages.get("/docs")
def docs() -> str:
    """Read and try the native API."""
    return render_template("docs.html")
