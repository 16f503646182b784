"""The page at `/`, for browsers: its files are read once, when the application is built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

ROOT = Path(__file__).resolve().parents[2]
PAGE = "index.html"
FOLDER = "/page"  # of all other files; the page names them relative to itself, so that it works behind any prefix
FILES = (
    "camera.js",
    "client.js",
    "deadline.js",
    "elements.js",
    "errors.js",
    "key.js",
    "models.js",
    "moments.js",
    "outbox.js",
    "page.js",
    "people.js",
    "picture.js",
    "playing.js",
    "problems.js",
    "reconnects.js",
    "results.js",
    "scores.js",
    "skeleton.js",
    "snippets.js",
    "space.js",
    "stage.js",
    "stream.js",
    "style.css",
    "timeline.js",
    "video.js",
)
SAMPLES = ("jumping_jacks.mp4", "people.jpg", "person.jpg")
PATHS = ("/", *(f"{FOLDER}/{name}" for name in (*FILES, *SAMPLES)))
# Everything is of this service. Pictures and videos of the visitor are blobs.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_PERMISSIONS = "camera=(self), microphone=()"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".mp4": "video/mp4",
}


@dataclass(frozen=True)
class PageFile:
    """A file as it is answered."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, path: Path) -> PageFile:
        return cls._with_tag(path.read_bytes(), _TYPES[path.suffix], {})

    @classmethod
    def html(cls, content: bytes, policy: str, **headers: str) -> PageFile:
        """Returns a page with its Content-Security-Policy."""
        return cls._with_tag(content, _TYPES[".html"], {"Content-Security-Policy": policy, **headers})

    @classmethod
    def _with_tag(cls, content: bytes, media_type: str, headers: Mapping[str, str]) -> PageFile:
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, media_type, {"ETag": tag, "Cache-Control": "no-cache", **headers})


def page_files(root: Path = ROOT) -> dict[str, PageFile]:
    """Returns the files by path.

    Args:
        root: Of the checkout, or of the image.
    """
    web, samples = root / "clients" / "web", root / "samples"
    files = {"/": PageFile.html((web / PAGE).read_bytes(), POLICY, **{"Permissions-Policy": _PERMISSIONS})}
    files |= {f"{FOLDER}/{name}": PageFile.of(web / name) for name in FILES}
    files |= {f"{FOLDER}/{name}": PageFile.of(samples / name) for name in SAMPLES}
    return files


def routes(files: Mapping[str, PageFile]) -> APIRouter:
    router = APIRouter()
    for path, file in files.items():
        router.add_route(path, partial(_answer, file), include_in_schema=False)
    return router


async def _answer(file: PageFile, request: Request) -> Response:
    """Returns the file; nothing where the browser has this version of it, which it asks each time."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if file.headers["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=file.headers)
    return Response(file.content, media_type=file.media_type, headers=file.headers)
