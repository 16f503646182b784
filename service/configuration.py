"""The configuration: environment variables `DEEPHAR_*`, and the TOML file that `DEEPHAR_CONFIG` names.

pydantic-settings reads such files too, but passes over one that is missing, and forgets which of both had a value.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from service.bare_url import bare
from service.errors import quoted
from service.settings import PREFIX, Settings, WrongTogether, variable_of

FILE = f"{PREFIX}CONFIG"
# Of compose, of the commands that make models, of clients, and of the embedded Triton's own processes.
OTHERS = tuple(
    f"{PREFIX}{name}" for name in ("CONFIG", "ADDRESS", "API_KEY", "CACHE", "ENGINE_PRECISION", "SHARED_MEMORY")
)
_TEXTS = (str, Path)
# What Kubernetes sets in each pod for Services whose names begin with `deephar`.
_SERVICE = re.compile(rf"{PREFIX}(\w+_)?(SERVICE_(HOST|PORT)\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")
_FOLDERS = {  # of the embedded Triton, and what to do without
    "triton_env": "; run `make setup`, or set DEEPHAR_TRITON_URL to a running Triton",
    "model_repository": "",
}
_FILES = ("keys", "tls_certificate", "tls_key", "grpc_client_ca")


class Misconfigured(Exception):
    """All that is wrong with the configuration.

    Attributes:
        problems: A line for each, without values that may be secret.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Configuration:
    """The settings, and where each that was given stands."""

    settings: Settings
    places: dict[str, str]

    def differences(self) -> list[str]:
        """Returns a line for each setting that is not the default, without secrets."""
        return [
            f"{name} = {_shown(value)}  ({place})"
            for name, place in self.places.items()
            if (value := getattr(self.settings, name)) != Settings.model_fields[name].default
        ]

    def check_files(self) -> None:
        """Raises `Misconfigured` if files or folders that the settings name cannot be read."""
        settings = self.settings
        files = [(name, path) for name in _FILES if (path := getattr(settings, name)) is not None]
        if settings.jwt_jwks and not settings.jwt_jwks.startswith(("http://", "https://")):
            files.append(("jwt_jwks", Path(settings.jwt_jwks)))
        # Without the path: it may be a key that somebody put in its place.
        problems = [
            f"{self._place(name)}: what it names {fault}" for name, path in files if (fault := _file_fault(path))
        ]
        if not settings.triton_urls:
            folders = {name: getattr(settings, name) for name in _FOLDERS}
            problems += [
                f"{self._place(name)}: {path} {fault}{_FOLDERS[name]}"
                for name, path in folders.items()
                if (fault := _folder_fault(path))
            ]
        if problems:
            raise Misconfigured(problems)

    def _place(self, name: str) -> str:
        return self.places.get(name, variable_of(name))


def read(environment: Mapping[str, str]) -> Configuration:
    """Returns the configuration. Variables win over the file, and empty ones count as not set.

    Args:
        environment: Variables of the process.

    Raises:
        Misconfigured: With all that is wrong.
    """
    problems: list[str] = []
    given: dict[str, Any] = {}
    places: dict[str, str] = {}
    file = environment.get(FILE, "")
    for name, value in (_read_file(Path(file), problems) if file else {}).items():
        if name not in Settings.model_fields:
            wanted = name.lower().removeprefix(PREFIX.lower())
            problems.append(f"{name} in {file}: there is no such setting; {_nearest(wanted, Settings.model_fields)}")
        elif value != "":
            given[name], places[name] = value, f"{name} in {file}"
    for variable, value in environment.items():
        name = variable.upper().removeprefix(PREFIX).lower()
        if not variable.upper().startswith(PREFIX) or variable in OTHERS or _is_of_kubernetes(variable, value):
            continue
        if name not in Settings.model_fields:
            known = [*map(variable_of, Settings.model_fields), *OTHERS]
            problems.append(f"{variable}: there is no such setting; {_nearest(variable, known)}")
        elif value:
            given[name], places[name] = value, variable
    settings = _validated(given, places, problems)
    if settings is None or problems:
        raise Misconfigured(problems)
    return Configuration(settings, places)


def _read_file(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{FILE}: {path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        problems.append(f"{FILE}: {path} is not TOML: it is not UTF-8")
    except (ValueError, RecursionError) as error:
        problems.append(f"{FILE}: {path} is not TOML: {error}")
    return {}


def _validated(given: dict[str, Any], places: dict[str, str], problems: list[str]) -> Settings | None:
    """Returns the settings. Adds to the problems what is wrong with each, and with those that are right together."""
    wrong = {
        name: f"must be {_must(Settings.model_fields[name])}, not {str(value).lower()}"
        for name, value in given.items()
        if isinstance(value, bool) and Settings.model_fields[name].annotation is not bool  # pydantic takes true for 1
    }
    while True:
        try:
            defaults = {name: Settings.model_fields[name].default for name in wrong}
            settings = Settings(**(given | defaults))
            break
        except ValidationError as error:
            settings = None
            found = error.errors(include_url=False)
            if all(one["loc"] for one in found):
                wrong |= {str(one["loc"][0]): _text(one) for one in found}
                continue
            together = found[0]["ctx"]["error"]
            assert isinstance(together, WrongTogether)
            problems.extend(fault.text for fault in together.faults if not wrong.keys() & set(fault.names))
            break
    problems[:0] = [f"{places[name]}: {wrong[name]}" for name in given if name in wrong]
    return settings


def _text(error: ErrorDetails) -> str:
    field = Settings.model_fields[str(error["loc"][0])]
    value = error["input"]
    if isinstance(value, str) and _SERVICE_URL.match(value):
        return f"must be {_must(field)}; Kubernetes sets it for a Service of this name: set enableServiceLinks: false"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if _kind(field) in _TEXTS:
        return f"must be {_must(field)}"
    return f"must be {_must(field)}, not {quoted(value)}"


def _must(field: FieldInfo) -> str:
    """Returns what values of a setting must be, in words."""
    kind = _kind(field)
    if kind is bool:
        return "true or false"
    if kind in _TEXTS:
        return "a text"
    if kind not in (int, float):
        *names, last = get_args(kind)
        return f"{', '.join(names)} or {last}"
    noun = "a whole number" if kind is int else "a number"
    bounds = {type(bound): bound for bound in field.metadata}
    least, over, most = bounds.get(Ge), bounds.get(Gt), bounds.get(Le)
    if least and most:
        return f"{noun} from {least.ge} to {most.le}"
    lower = f" of at least {least.ge}" if least else f" over {over.gt}" if over else ""
    upper = f" of at most {most.le}" if most else ""
    return noun + (" and".join(part for part in (lower, upper) if part))


def _kind(field: FieldInfo) -> Any:
    """Returns the type of a setting, without None."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else field.annotation


def _nearest(name: str, known: Iterable[str]) -> str:
    return f"did you mean {difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]}?"


def _is_of_kubernetes(variable: str, value: str) -> bool:
    if variable.endswith("PORT") and _SERVICE_URL.match(value):
        return variable.removeprefix(PREFIX).lower() not in Settings.model_fields
    return _SERVICE.fullmatch(variable) is not None


def _shown(value: object) -> str:
    """Returns a value for people to read: URLs without what may be secret in them."""
    parts = (part.strip() for part in str(value).split(","))
    return ",".join(bare(part) if "://" in part else part for part in parts)


def _file_fault(path: Path) -> str | None:
    return _fault(lambda: path.open("rb").close())


def _folder_fault(path: Path) -> str | None:
    return _fault(lambda: next(path.iterdir(), None))


def _fault(reading: Callable[[], object]) -> str | None:
    try:
        reading()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:  # of a null byte
        return "cannot be read: it is no path"
    return None


def lines_of(problems: list[str]) -> Iterator[str]:
    """Yields the problems as a terminal may show them: values of variables may hold anything."""
    for problem in problems:
        yield "".join(character if character.isprintable() else "?" for character in problem)
