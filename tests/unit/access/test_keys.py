"""The file of callers' keys, and the making of new ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import limits
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.keys import new_key, print_new_key, read_keys
from service.access.limits import CallerLimits
from service.errors import UnusableFile

HASH = hashlib.sha256(b"secret").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
OTHERWISE = CallerLimits(limits.parse("5/second"), 2, 1)


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    return path


def test_a_made_key_is_found_by_its_entry_and_no_other_is(tmp_path: Path) -> None:
    (first, entry), (second, more) = new_key("camera-7"), new_key("lab_2")
    keys = read_keys(written(tmp_path, entry + more), OTHERWISE)
    assert (keys.caller_of(first), keys.caller_of(second)) == ("camera-7", "lab_2")
    assert len(first) == 46
    assert first not in entry
    for wrong in ("", first[:-1], first + "x", first.upper(), "x" * 10**6, "\udcff", "\ud800", entry):
        assert keys.caller_of(wrong) is None


def test_limits_of_an_entry_go_before_those_of_the_settings(tmp_path: Path) -> None:
    of_b = f'[keys.b]\nsha256 = ["{OTHER}"]\nrate = "600/minute"\nconcurrency = 8\nstreams = 0\n'
    text = f'[keys.a]\nsha256 = "{HASH}"\n{of_b}'
    keys = read_keys(written(tmp_path, text), OTHERWISE)
    assert keys.limits["a"] == OTHERWISE
    assert keys.limits["b"] == CallerLimits(limits.parse("600/minute"), 8, 0)


def test_a_caller_may_have_an_old_and_a_new_key(tmp_path: Path) -> None:
    keys = read_keys(written(tmp_path, f'[keys.a]\nsha256 = ["{HASH}", "{OTHER.upper()}"]\n'), OTHERWISE)
    assert keys.caller_of("secret") == keys.caller_of("other") == "a"


def test_a_table_without_keys_takes_nobody(tmp_path: Path) -> None:
    assert read_keys(written(tmp_path, "[keys]\n"), OTHERWISE).caller_of("secret") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must have a table"),
        ("x = 1\n[keys]\n", "and nothing else"),
        ("keys = 3", "must have a table"),
        ("[keys", "this is not TOML"),
        ("keys = " + "[" * 10_000 + "]" * 10_000, "this is not TOML"),
        ("[keys.a]\n", "sha256 must have 64"),
        ('[keys.a]\nsha256 = "abc"\n', "sha256 must have 64"),
        ("[keys.a]\nsha256 = []\n", "sha256 must have 64"),
        ("[keys]\na = 3\n", "must be a table"),
        (f'[keys."a b"]\nsha256 = "{HASH}"\n', "a name has"),
        (f'[keys."a\\n"]\nsha256 = "{HASH}"\n', "a name has"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrat = "1/second"\n', "rat: unknown"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrate = "often"\n', "rate must be as"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrate = 3\n', "rate must be as"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrate = "1/second;2/minute"\n', "rate must be as"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrate = "0/second"\n', "rate must allow"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrate = "100000/minute"\n', "rate must allow"),
        (f'[keys.a]\nsha256 = "{HASH}"\nrate = "1/{"9" * 400}seconds"\n', "rate must allow"),
        (f'[keys.a]\nsha256 = "{HASH}"\nconcurrency = true\n', "concurrency must be"),
        (f'[keys.a]\nsha256 = "{HASH}"\nstreams = -1\n', "streams must be"),
        (f'[keys.a]\nsha256 = "{HASH}"\n[keys.b]\nsha256 = "{HASH}"\n', "that of a already"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UnusableFile, match=says) as raised:
        read_keys(written(tmp_path, text), OTHERWISE)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value).removeprefix(str(tmp_path)) or "TOML" in str(raised.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_bytes(b"\xff\xfe[keys]")
    with pytest.raises(UnusableFile, match="this is not TOML"):
        read_keys(tmp_path / "keys.toml", OTHERWISE)


@given(st.text(max_size=70))
def test_names_are_checked(name: str) -> None:
    good = 1 <= len(name) <= 64 and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    assert (print_new_key(name) is None) == good


def test_the_key_goes_to_the_terminal_and_its_entry_into_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert print_new_key("camera-7") is None
    out, err = capsys.readouterr()
    key = err.split()[-1]
    assert key.startswith("dh_")
    assert key not in out
    assert read_keys(written(tmp_path, out), OTHERWISE).caller_of(key) == "camera-7"
    assert "NAME >> keys.toml" in str(print_new_key(""))
