"""The configuration of the service: from where it comes, and what is told of one that is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deephar.version import __version__

from service.configuration import OTHERS, Configuration, Misconfigured, read
from service.settings import LIMITS, Settings, variable_of
from service.testing.ports import free_loopback_port

ROOT = Path(__file__).resolve().parents[2]
SECRET = "dh_c2VjcmV0"
# Inside its container these are compose's own: there they are not what the user's variables of these names mean.
OF_CONTAINERS = {
    "host", "http_port", "grpc_port", "triton_url", "triton_env", "model_repository", "backend", "precision", "engines",
}  # fmt: skip


def problems_of(**variables: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read({f"DEEPHAR_{name}": value for name, value in variables.items()})
    return caught.value.problems


def settings_of(**variables: str) -> Settings:
    return read({f"DEEPHAR_{name}": value for name, value in variables.items()}).settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deephar.toml"


def test_the_environment_wins_over_the_file_and_that_over_the_defaults(file: Path) -> None:
    file.write_text(
        'http_port = 9000\ngrpc_port = 9001\ninference_timeout_s = 2\naccess_log = false\nkeys = "k.toml"\n'
    )
    settings = settings_of(CONFIG=str(file), HTTP_PORT="9100", KEYS="")
    assert (settings.http_port, settings.grpc_port, settings.log_level) == (9100, 9001, "info")
    assert (settings.inference_timeout_s, settings.access_log, settings.keys) == (2.0, False, Path("k.toml"))


def test_empty_means_not_set(file: Path) -> None:
    file.write_text('host = ""\nkeys = ""\n')
    empty = {name.upper(): "" for name in Settings.model_fields}
    assert settings_of(CONFIG=str(file), **empty) == settings_of(CONFIG="") == settings_of()


def test_what_a_line_ending_leaves_behind_is_not_part_of_a_value() -> None:
    assert settings_of(DEFAULT_MODEL="mpii\r", HTTP_PORT="9000\r\n").default_model == "mpii"


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("HTP_PORT", "DEEPHAR_HTTP_PORT"),
        ("TRITON_URLS", "DEEPHAR_TRITON_URL"),
        ("MAX_STREAM", "DEEPHAR_MAX_STREAMS"),
        ("CONFIGS", "DEEPHAR_CONFIG"),
        ("ADRESS", "DEEPHAR_ADDRESS"),
        ("LOGLEVEL", "DEEPHAR_LOG_LEVEL"),
    ],
)
def test_an_unknown_variable_is_told_with_the_nearest_right_name(variable: str, nearest: str) -> None:
    for value in (SECRET, ""):
        (problem,) = problems_of(**{variable: value})
        assert problem.startswith(f"DEEPHAR_{variable}: ")
        assert f"did you mean {nearest}?" in problem
        assert SECRET not in problem


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("htp_port = 1", "http_port"),
        ("HTTP_PORT = 1", "http_port"),
        ("DEEPHAR_HTTP_PORT = 1", "http_port"),
        ("max-streams = 1", "max_streams"),
        ("[tritons]\nurl = 'x'", "triton_url"),
    ],
)
def test_an_unknown_name_in_the_file_is_told_with_the_nearest_right_name(file: Path, line: str, nearest: str) -> None:
    file.write_text(line)
    (problem,) = problems_of(CONFIG=str(file))
    assert f" in {file}: " in problem
    assert f"did you mean {nearest}?" in problem


def test_variables_of_others_are_known() -> None:
    assert read(dict.fromkeys(OTHERS[1:], "x")).settings == Settings()
    assert read({"PATH": "x", "deephar": "x", "MY_DEEPHAR_HTP_PORT": "x"}).settings == Settings()


def test_every_variable_in_the_project_is_known() -> None:
    """Otherwise what compose, a command or a client takes from the environment would end the service's start."""
    folders = ("bench", "clients", "deploy", "docs", "models", "proto", "service")
    files = [*ROOT.glob("*"), *(file for folder in folders for file in (ROOT / folder).rglob("*"))]
    texts = [file.read_text(errors="ignore") for file in files if file.is_file()]
    named = {name for text in texts for name in re.findall(r"\bDEEPHAR_[A-Z][A-Z_0-9]*[A-Z0-9]\b(?!_)", text)}
    assert named - {variable_of(name) for name in Settings.model_fields} - set(OTHERS) == set()


def test_what_kubernetes_sets_for_a_service_is_passed_over() -> None:
    """For Services `deephar`, `deephar-serve` and `deephar-http`; the last one's collides with a setting."""
    for name in ("", "SERVE_"):
        url, place = "tcp://10.0.0.1:8080", {f"{name}SERVICE_HOST": "10.0.0.1", f"{name}SERVICE_PORT": "8080"}
        ports = {f"{name}PORT": url, f"{name}PORT_8080_TCP": url, f"{name}PORT_8080_TCP_ADDR": "10.0.0.1"}
        assert settings_of(**place, **ports, **{f"{name}SERVICE_PORT_GRPC": "8081"}) == Settings()
    (problem,) = problems_of(HTTP_PORT="tcp://10.0.0.1:8080")
    assert "enableServiceLinks: false" in problem
    (problem,) = problems_of(HTTPS_PORT="8443")
    assert "did you mean DEEPHAR_HTTP_PORT?" in problem


def test_every_wrong_value_is_told_at_once(file: Path) -> None:
    file.write_text('max_boxes = "many"\nworkers = true\ncors_origins = ["http://a"]\nnonsense = 1\n')
    problems = problems_of(
        CONFIG=str(file),
        HTTP_PORT="eighty",
        GRPC_PORT="70000",
        LOG_LEVEL="loud",
        ACCESS_LOG="perhaps",
        CATALOGUE_POLL_S="nan",
        BODY_TIMEOUT_S="0",
        TILES="32",
        HOTS="x",
        TLS_KEY="key.pem",
        JWT_ISSUER="https://issuer",
        PUBLISHED_HOST="10.0.0.1",
    )
    expected = [
        f"max_boxes in {file}: must be a whole number over 0, not 'many'",
        f"workers in {file}: must be a whole number over 0, not true",
        f"cors_origins in {file}: must be a text",
        "DEEPHAR_HTTP_PORT: must be a whole number from 1 to 65535, not 'eighty'",
        "DEEPHAR_GRPC_PORT: must be a whole number from 1 to 65535, not '70000'",
        "DEEPHAR_LOG_LEVEL: must be debug, info, warning or error, not 'loud'",
        "DEEPHAR_ACCESS_LOG: must be true or false, not 'perhaps'",
        "DEEPHAR_CATALOGUE_POLL_S: must be a number over 0 and of at most 1000000, not 'nan'",
        "DEEPHAR_BODY_TIMEOUT_S: must be a number over 0 and of at most 1000000, not '0'",
        "DEEPHAR_TILES: must be a whole number from 0 to 31, not '32'",
    ]
    assert problems[: len(expected)] == expected
    rest = "\n".join(problems[len(expected) :])
    for part in (
        "nonsense in",
        "DEEPHAR_HOTS",
        "DEEPHAR_TLS_CERTIFICATE",
        "DEEPHAR_JWT_JWKS",
        "DEEPHAR_PUBLISHED_HOST",
    ):
        assert part in rest
    assert len(problems) == len(expected) + 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"http_port = ", "is not TOML: "),
        (b"http_port = 1\nhttp_port = 2", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: it is not UTF-8"),
        (b"a = " + b"[" * 100_000, "is not TOML: "),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(file: Path, text: bytes | None, told: str) -> None:
    if text is not None:
        file.write_bytes(text)
    (problem,) = problems_of(CONFIG=str(file))
    assert problem.startswith(f"DEEPHAR_CONFIG: {file} {told}")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (problem,) = problems_of(CONFIG=str(tmp_path))
    assert problem == f"DEEPHAR_CONFIG: {tmp_path} cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"GRPC_PORT": "8080"}, ["DEEPHAR_HTTP_PORT", "DEEPHAR_GRPC_PORT"]),
        ({"METRICS_PORT": "8081"}, ["DEEPHAR_GRPC_PORT", "DEEPHAR_METRICS_PORT"]),
        ({"METRICS_PORT": "8080"}, ["DEEPHAR_HTTP_PORT", "DEEPHAR_METRICS_PORT"]),
        ({"TLS_CERTIFICATE": "a.pem"}, ["DEEPHAR_TLS_KEY"]),
        ({"TLS_KEY": "a.pem"}, ["DEEPHAR_TLS_CERTIFICATE"]),
        ({"GRPC_CLIENT_CA": "a.pem"}, ["DEEPHAR_GRPC_CLIENT_CA", "DEEPHAR_TLS_CERTIFICATE"]),
        ({"JWT_JWKS": "a.json"}, ["DEEPHAR_JWT_ISSUER", "DEEPHAR_JWT_AUDIENCE"]),
        ({"JWT_JWKS": "a.json", "JWT_ISSUER": "x"}, ["DEEPHAR_JWT_AUDIENCE"]),
        ({"JWT_AUDIENCE": "x"}, ["DEEPHAR_JWT_JWKS", "DEEPHAR_JWT_ISSUER"]),
        ({"MAX_IMAGE_PIXELS": "1000000000"}, ["DEEPHAR_MAX_IMAGE_PIXELS"]),
    ],
)
def test_settings_that_are_wrong_together(variables: dict[str, str], names: list[str]) -> None:
    (problem,) = problems_of(**variables)
    assert all(name in problem for name in names)


@pytest.mark.parametrize(
    "variables",
    [
        {"HOST": "0.0.0.0"},
        {"HOST": "::"},
        {"HOST": "192.168.1.7"},
        {"HOST": "example.org"},
        {"PUBLISHED_HOST": "0.0.0.0"},
        {"HOST": "0.0.0.0", "PUBLISHED_HOST": "10.1.2.3"},
        {"HOST": "0.0.0.0", "PUBLISHED_HOST": "", "KEYS": "", "INSECURE": "0"},
    ],
)
def test_a_public_address_without_keys_is_refused(variables: dict[str, str]) -> None:
    (problem,) = problems_of(**variables)
    assert all(name in problem for name in ("DEEPHAR_KEYS", "DEEPHAR_JWT_JWKS", "DEEPHAR_INSECURE=1", "127.0.0.1"))


@pytest.mark.parametrize(
    "variables",
    [
        {"HOST": "127.0.0.1"},
        {"HOST": "127.9.9.9"},
        {"HOST": "::1"},
        {"HOST": "localhost"},
        {"HOST": "::ffff:127.0.0.1"},
        {"HOST": "0.0.0.0", "PUBLISHED_HOST": "127.0.0.1"},
        {"HOST": "0.0.0.0", "KEYS": "keys.toml"},
        {"HOST": "0.0.0.0", "JWT_JWKS": "https://a/jwks", "JWT_ISSUER": "a", "JWT_AUDIENCE": "b"},
        {"HOST": "0.0.0.0", "INSECURE": "1"},
    ],
)
def test_other_addresses_are_taken(variables: dict[str, str]) -> None:
    assert settings_of(**variables).host == variables["HOST"]


@pytest.mark.parametrize(
    ("variable", "wrong", "right"),
    [
        (
            "TRITON_URL",
            ["triton", "http://triton:8001", ":8001", "triton:0", "triton:65536", "a:1,b", "a:1/x"],
            ["triton:8001", "a:1,b:2", "[::1]:8001", " a:1 , b:2 "],
        ),
        ("TRITON_METRICS_URL", ["triton:8002", "ftp://a"], ["http://a:8002/metrics,http://b:8002/metrics"]),
        ("OTLP_ENDPOINT", ["127.0.0.1:4318", "http://", "http://a:port"], ["http://127.0.0.1:4318"]),
        ("CORS_ORIGINS", ["example.org", "https://a/", "https://a/b", "*,a"], ["*", "https://a, http://b:1", "null"]),
    ],
)
def test_texts_with_a_form(variable: str, wrong: list[str], right: list[str]) -> None:
    for value in wrong:
        (problem,) = problems_of(**{variable: value})
        assert problem.startswith(f"DEEPHAR_{variable}: must be "), value
    for value in right:
        assert getattr(settings_of(**{variable: value}), variable.lower()) == value.strip()


def test_tritons_are_a_list() -> None:
    assert settings_of(TRITON_URL="a:1, [::1]:2").triton_urls == ("a:1", "[::1]:2")
    assert settings_of().triton_urls == ()


def deephar_serve(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")}
    environment |= {f"DEEPHAR_{name}": value for name, value in variables.items()}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_valid_configuration_is_told_with_what_differs(file: Path) -> None:
    file.write_text(f'max_boxes = 5\notlp_endpoint = "http://user:{SECRET}@collector:4318/?key={SECRET}"\n')
    variables = {"CONFIG": str(file), "HTTP_PORT": "9000", "GRPC_PORT": "8081", "TRITON_URL": "triton:8001"}
    done = deephar_serve("--check-config", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "the configuration is valid",
        f"max_boxes = 5  (max_boxes in {file})",
        f"otlp_endpoint = http://collector:4318/?...  (otlp_endpoint in {file})",
        "http_port = 9000  (DEEPHAR_HTTP_PORT)",
        "triton_url = triton:8001  (DEEPHAR_TRITON_URL)",
    ]


@pytest.mark.parametrize("arguments", [("--check-config",), ()])
def test_a_wrong_configuration_ends_with_2(arguments: tuple[str, ...]) -> None:
    done = deephar_serve(*arguments, HTTP_PORT="eighty", HOTS="x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "DEEPHAR_HTTP_PORT: must be a whole number from 1 to 65535, not 'eighty'",
        "DEEPHAR_HOTS: there is no such setting; did you mean DEEPHAR_HOST?",
    ]


@pytest.mark.parametrize("arguments", [("--check-config",), ()])
def test_files_that_cannot_be_read_are_told_without_their_value(arguments: tuple[str, ...], tmp_path: Path) -> None:
    certificate = tmp_path / "chain.pem"
    certificate.touch()
    done = deephar_serve(
        *arguments,
        KEYS=SECRET,  # the key itself in place of a file
        TLS_CERTIFICATE=str(certificate),
        TLS_KEY=str(tmp_path),
        GRPC_CLIENT_CA=str(tmp_path / "ca.pem"),
        JWT_JWKS="keys.json",
        JWT_ISSUER="a",
        JWT_AUDIENCE="b",
        MODEL_REPOSITORY=str(certificate),
        TRITON_ENV=str(tmp_path / "nowhere"),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert SECRET not in done.stderr
    told = dict(
        line.replace(": what it names cannot be read", "", 1).split(": ", 1) for line in done.stderr.splitlines()
    )
    assert told == {
        "DEEPHAR_KEYS": "No such file or directory",
        "DEEPHAR_TLS_KEY": "Is a directory",
        "DEEPHAR_GRPC_CLIENT_CA": "No such file or directory",
        "DEEPHAR_JWT_JWKS": "No such file or directory",
        "DEEPHAR_TRITON_ENV": f"{tmp_path}/nowhere cannot be read: No such file or directory; run `make setup`, or set "
        "DEEPHAR_TRITON_URL to a running Triton",
        "DEEPHAR_MODEL_REPOSITORY": f"{certificate} cannot be read: Not a directory",
    }


def test_key_sets_at_an_address_are_no_files() -> None:
    tokens = {"JWT_JWKS": "https://a/jwks.json", "JWT_ISSUER": "a", "JWT_AUDIENCE": "b", "TRITON_URL": "a:1"}
    Configuration(settings_of(**tokens), {}).check_files()


@pytest.mark.parametrize("arguments", [("--check-config",), ()])
def test_broken_keys_and_certificates_are_told(arguments: tuple[str, ...], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("[keys.camera]\n")
    for variables in ({"KEYS": str(broken)}, {"TLS_CERTIFICATE": str(broken), "TLS_KEY": str(broken)}):
        done = deephar_serve(*arguments, **variables)
        assert (done.returncode, done.stdout) == (2, "")
        assert str(broken) in done.stderr
        assert "Traceback" not in done.stderr


def test_what_is_told_cannot_forge_lines() -> None:
    done = deephar_serve("--check-config", **{"HOTS\nall is well\x1b[2J": "x", "HOST": "0.0.0.0\r\nall is well"})
    assert done.returncode == 2
    assert not any(line.startswith("all is well") for line in done.stderr.splitlines())
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({"HOST": "192.0.2.1", "INSECURE": "1"}, "set DEEPHAR_HOST to an address of this machine"),
        ({"METRICS_HOST": "192.0.2.1", "METRICS_PORT": "1"}, "set DEEPHAR_METRICS_HOST to an address of this machine"),
    ],
)
def test_an_address_of_another_machine_is_told(variables: dict[str, str], advice: str) -> None:
    ports = {"HTTP_PORT": str(free_loopback_port()), "GRPC_PORT": str(free_loopback_port())}
    done = deephar_serve(**ports, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot listen on 192.0.2.1:")
    assert advice in done.stderr


def test_version_and_help() -> None:
    assert deephar_serve("--version").stdout == f"deephar-serve {__version__}\n"
    assert "DEEPHAR_CONFIG" in deephar_serve("--help").stdout


def test_commands_that_do_not_serve_load_little() -> None:
    """Opening the configuration is quick: what decodes and serves is not imported."""
    code = "import sys, service.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"cv2", "uvicorn", "fastapi", "grpc", "numpy", "limits"} & set(loaded.split())


def test_compose_passes_on_every_setting() -> None:
    passed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-gateway-settings"]
    fields = {variable_of(name) for name in Settings.model_fields if name not in OF_CONTAINERS}
    assert passed.keys() >= fields
    assert passed.keys() <= {variable_of(name) for name in Settings.model_fields}


def test_limits_are_settings_with_a_description() -> None:
    assert all(Settings.model_fields[name].description for name in LIMITS)
    bounds = ("max_", "_timeout_s", "_idle_s", "linger", "queue", "min_rate")
    assert {name for name in Settings.model_fields if any(part in name for part in bounds)} <= set(LIMITS)
