from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared and noisy: how long an example takes says nothing.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Where a shell started the tests in the background, Ctrl-C is ignored, by the processes that they start as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def person_jpeg() -> bytes:
    return (SAMPLES / "person.jpg").read_bytes()


@pytest.fixture(scope="session")
def clip_mp4() -> bytes:
    return (SAMPLES / "jumping_jacks.mp4").read_bytes()


@pytest.fixture(scope="session")
def camera_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's jumping jacks as Chromium's made camera reads them."""
    import av  # not at import: the models' environment has no PyAV

    path = tmp_path_factory.mktemp("camera") / "jumping_jacks.mjpeg"
    with av.open(str(SAMPLES / "jumping_jacks.mp4")) as source, av.open(str(path), "w", format="mjpeg") as film:
        stream = film.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for frame in source.decode(video=0):
            film.mux(stream.encode(frame.reformat(format="yuvj420p")))
        film.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data (../shared/data) is not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def made_repository() -> Path:
    """deephar's networks with made weights, as the user's own commands write them; made once for all tests."""
    return made("made")


@pytest.fixture(scope="session")
def cut_repository() -> Path:
    """As `made_repository`, but with one cut network only."""
    return made("made_cut")


def made(name: str) -> Path:
    if not (ROOT / ".venv-models" / "done").exists():
        pytest.skip("the models' environment is not set up (make models)")
    subprocess.run(["make", f"build/{name}/done"], cwd=ROOT, check=True, capture_output=True)
    return ROOT / "build" / name / "repository"


@pytest.fixture(scope="session")
def service() -> Iterator[object]:
    from service.testing.running import running_service  # not at import: the models' environment has no httpx

    with running_service() as running:
        yield running
