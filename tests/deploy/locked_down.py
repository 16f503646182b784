"""Runs a command under the directives of a systemd unit that can be had without systemd, as root in namespaces.

    python locked_down.py SPECIFICATION.json

The specification is what `test_systemd.py` makes of the unit: folders that are covered, paths in them that stay, system
calls and address families that are allowed, the environment and the command. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWNS = 0x20000
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
SCMP_ACT_ALLOW, SCMP_ACT_EPERM, SCMP_CMP_EQ = 0x7FFF0000, 0x00050001, 4
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def checked(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def see_read_only(covered: dict[str, str], kept: list[str], state: str) -> None:
    """ProtectSystem=strict, ProtectHome, PrivateTmp, StateDirectory: a view of the files of this process's own."""
    libc = ctypes.CDLL(None, use_errno=True)
    checked(libc.unshare(CLONE_NEWNS), "unshare")
    mount("--make-rprivate", "/")
    shelf = Path("/mnt")  # where what stays waits while its folder is covered
    mount("-t", "tmpfs", "tmpfs", str(shelf))
    for number, path in enumerate(kept):
        (shelf / str(number)).mkdir()
        mount("--bind", path, str(shelf / str(number)))
    for folder, mode in covered.items():
        mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", folder)
    for number, path in enumerate(kept):
        Path(path).mkdir(parents=True, exist_ok=True)
        mount("--move", str(shelf / str(number)), path)
        mount("-o", "remount,bind,ro", path)
    subprocess.run(["umount", str(shelf)], check=True)
    Path(state).mkdir(mode=0o700)
    os.chown(state, NOBODY, NOBODY)
    mount("-o", "remount,bind,ro", "/")


def give_up_privileges() -> None:
    """User, NoNewPrivileges, CapabilityBoundingSet."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        checked(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "a capability could not be dropped")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    os.umask(0o077)


def filter_calls(names: list[str], families: list[str]) -> None:
    """SystemCallFilter and RestrictAddressFamilies: all else fails with EPERM."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(SCMP_ACT_EPERM))
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue  # of another architecture
        if name == "socket":
            for family in families:
                only = Comparison(0, SCMP_CMP_EQ, FAMILIES[family], 0)
                added = library.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 1, ctypes.byref(only))
                checked(added, name)
        else:
            checked(library.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 0, None), name)
    checked(library.seccomp_load(context), "the filter was refused")


def main() -> None:
    wanted = json.loads(Path(sys.argv[1]).read_text())
    see_read_only(wanted["covered"], wanted["kept"], wanted["state"])
    os.chdir(wanted["folder"])
    give_up_privileges()
    filter_calls(wanted["calls"], wanted["families"])
    os.execve(wanted["command"][0], wanted["command"], wanted["environment"])


if __name__ == "__main__":
    main()
