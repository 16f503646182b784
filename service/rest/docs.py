"""`/docs`: Swagger UI on the service's OpenAPI document, of files of this service alone."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html

from service.rest.page import PageFile

PATH = "/docs"
FILES = ("favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css")
PATHS = (PATH, *(f"{PATH}/{name}" for name in FILES))
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def docs_files(app: FastAPI) -> dict[str, PageFile]:
    """Returns the page and the files that it loads, by path. It names them relative to itself, for any prefix."""
    icon, script, style = (f".{PATH}/{name}" for name in FILES)
    page = get_swagger_ui_html(
        openapi_url=f".{app.openapi_url}",
        title=f"{app.title} - Swagger UI",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )
    folder = Path(str(files("fastapi_swagger"))) / "resources"
    content = bytes(page.body)
    return {PATH: PageFile.html(content, _policy(content.decode()))} | {
        f"{PATH}/{name}": PageFile.of(folder / name) for name in FILES
    }


def _policy(page: str) -> str:
    """Returns the Content-Security-Policy under which the page works: what it loads, and nothing else."""
    (script,) = _SCRIPT.findall(page)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",  # a drawn answer is a blob
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
