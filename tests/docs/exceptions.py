"""What of the documentation cannot be run here, and why; each entry is the beginning of commands."""

from __future__ import annotations

from collections.abc import Mapping

_INSTALLS = "it installs into the environment of this very test, or fetches from registries"
_MAKE = "a target of its own: CI runs it, or it takes minutes"
_DOCKER = "needs a Docker engine: make test-compose"
_CLUSTER = "needs a cluster; tests/deploy renders and checks the manifests"
_MACHINE = "changes the machine; tests/deploy/test_systemd.py checks the unit"
_CAMERA = "needs a camera; tests/integration/test_command_line.py runs it on made ones"
_MODELS = "needs PyTorch and downloads; tests/models runs it on a server of its own"
_OWN_MODEL = "needs PyTorch: tests/models/own/test_add.py runs it"
_OWN_ACTIONS = "needs clips of the reader's: tests/integration/test_own_actions.py"
_DATA = "needs a data set: tests/models/datasets runs it on made ones"
_KEYS = "a service with keys: tests/integration/test_access.py"
_TLS = "a service with certificates of the page's: tests/integration/test_tls.py"
_FOLDER = "what lies in a data set's folder"
_ELSEWHERE = "asks a host of the reader's"

NOT_RUN: Mapping[str, str] = {
    "make ": _MAKE,
    "DEEPHAR_TRITON_URL=10.0.0.5:8001": _MAKE,
    "git clone": "this is the checkout; CI begins with it",
    "pip install": _INSTALLS,
    ".venv-models/bin/pip": _INSTALLS,
    "docker ": _DOCKER,
    "COMPOSE_PROFILES=gpu": _DOCKER,
    "DEEPHAR_KEYS=/keys": _DOCKER,
    "kubectl ": _CLUSTER,
    "cp deploy/systemd": _MACHINE,
    "install -d": _MACHINE,
    "echo DEEPHAR_MAX_REQUESTS": _MACHINE,
    "systemctl": _MACHINE,
    "journalctl": _MACHINE,
    ".venv-models/bin/deephar-models weights": _MODELS,
    ".venv-models/bin/deephar-models export": _MODELS,
    ".venv-models/bin/deephar-models engine": "needs a GPU; tests/models/tensorrt_engine",
    ".venv-models/bin/deephar-models add": _OWN_MODEL,
    ".venv-models/bin/deephar-models data": _DATA,
    ".venv-models/bin/deephar-models train-actions": _OWN_ACTIONS,
    ".venv/bin/deephar actions video.mp4 --model gym": _OWN_ACTIONS,
    "curl -F image=@samples/person.jpg -F model=mine": _OWN_MODEL,
    "curl -F image=@samples/person.jpg -F 'boxes=[[225,70,190,345]]' -F model=mpii": _MODELS,
    ".venv/bin/deephar pose --model mpii": _MODELS,
    "curl -H 'Authorization: Bearer KEY'": _KEYS,
    "DEEPHAR_TLS_CERTIFICATE=chain.pem": _TLS,
    "curl --cacert": _TLS,
    ".venv/bin/deephar models --ca": _TLS,
    "deephar models --address pose.example": _ELSEWHERE,
    "curl -s https://example.org": _ELSEWHERE,
    "find /data": "a folder of the reader's",
    "deephar batch /shared": "needs a Ray cluster: tests/bulk",
    "deephar live 0": _CAMERA,
    "deephar live rtsp": _CAMERA,
    "ffmpeg -i INPUT": _CAMERA,
    'eval "$(deephar completion zsh)"': "needs zsh; tests/unit/clients/test_command_line.py",
    "deephar completion fish": "needs fish; tests/unit/clients/test_command_line.py",
    "split -l 1": "of a file of the reader's",
}
STATUS: Mapping[str, str] = {
    "DEEPHAR_HTTP_PORT=eighty": "2",
}
FIGURES_OF_THE_MOMENT: Mapping[str, str] = {
    ".venv/bin/deephar top": "requests of this second",
}
PROGRAMS_NOT_RUN: Mapping[str, str] = {
    "docs/guides/camera.md: from deephar import Capture": _CAMERA,
    "docs/datasets.md: from pathlib": _DATA,
    "docs/formats.md: import json": "of labels of the reader's",
    "docs/formats.md: import pandas": "pandas is not in the environment",
    "docs/own_model.md: import torch": _OWN_MODEL,
    'clients/python/README.md: with Client("grpcs://pose.example': _ELSEWHERE,
    "clients/web/README.md: <input": "tests/page: the page is made of it",
    "clients/web/README.md: import": "tests/integration/test_web_client.py runs it, with keys",
    "clients/web/README.md: const stream": "tests/integration/test_web_client.py runs it, with a made camera",
}
ILLUSTRATIONS: Mapping[str, str] = {
    'docs/api.md: {"name": "left_eye"': "one of seventeen joints",
    "docs/architecture.md: HTTP": "a drawing",
    "docs/datasets.md: mpii/": _FOLDER,
    "docs/datasets.md: h36m/": _FOLDER,
    "docs/datasets.md: lsp/": _FOLDER,
    "docs/datasets.md: coco/": _FOLDER,
    "docs/datasets.md: penn/": _FOLDER,
    "docs/datasets.md: ntu/": _FOLDER,
    "docs/formats.md: file,frame": "the beginning of a file",
    "docs/guides/own_actions.md: file,label": "labels of the reader's",
    "docs/guides/own_actions.md: baseball_pitch": _OWN_ACTIONS,
    "docs/models.md: MODEL": "tests/models/weights asks for it",
    "docs/monitoring.md: 2026": "two lines of a log",
    "docs/operations.md: {": "a service that starts on a GPU",
    "docs/own_model.md: baseline": _OWN_MODEL,
    "docs/own_model.md: {": _OWN_MODEL,
}


def entry(table: Mapping[str, str], command: str, text: str = "") -> str | None:
    """Returns what a table says of a command, or of a block: `page.md: beginning of its text`."""
    page = command.rpartition(":")[0]
    for prefix, meaning in table.items():
        of_page, _, beginning = prefix.partition(": ")
        if (text and of_page == page and text.startswith(beginning)) or (not text and command.startswith(prefix)):
            return meaning
    return None
