"""Loads the arrays of a Keras file into a network: each exactly once; differences are reported by name."""

from __future__ import annotations

from torch import nn

from models.deephar.spnet import SPNet
from models.weights.keras_file import FileGroup, WrongWeights
from models.weights.keras_layout import Group, groups_of


def load(network: nn.Module, file_groups: list[FileGroup]) -> None:
    """Loads all arrays into the network.

    Raises:
        WrongWeights: Names the first array that is wrong. Some of the network's weights are then replaced already.
    """
    expected = groups_of(network)
    pairs = _by_name(expected, file_groups) if isinstance(network, SPNet) else _by_order(expected, file_groups)
    for theirs, ours in pairs:
        _fill(theirs, ours)


def _by_order(expected: list[Group], found: list[FileGroup]) -> list[tuple[FileGroup, Group]]:
    pairs = list(zip(found, expected, strict=False))
    for theirs, ours in pairs:
        _same_form(theirs, ours)
    if len(found) > len(expected):
        extra = found[len(expected)]
        raise WrongWeights(f"{_path(extra, 0)} is one array too many: the network ends before it")
    if len(found) < len(expected):
        raise WrongWeights(f"{expected[len(found)].name}/{expected[len(found)].slots[0].kind} is missing")
    return pairs


def _by_name(expected: list[Group], found: list[FileGroup]) -> list[tuple[FileGroup, Group]]:
    theirs = {group.name: group for group in found}
    names = {group.name for group in expected}
    for group in expected:
        if group.name not in theirs:
            raise WrongWeights(f"{group.name}/{group.slots[0].kind} is missing{_replica_hint(group.name)}")
        _same_form(theirs[group.name], group)
    for other in found:
        if other.name not in names:
            raise WrongWeights(f"{_path(other, 0)} is in the file and not in the network{_replica_hint(other.name)}")
    return [(theirs[group.name], group) for group in expected]


def _replica_hint(name: str) -> str:
    if not name.endswith("_replica"):
        return ""
    return ": the action part's own maps (replica) are those of another training; this is the file of another network"


def _same_form(theirs: FileGroup, ours: Group) -> None:
    """The same arrays in the same order, by kind and shape."""
    for index, slot in enumerate(ours.slots):
        if index == len(theirs.arrays):
            raise WrongWeights(f"{theirs.name} ends after {index} of {len(ours.slots)} arrays: {slot.kind} is missing")
        array = theirs.arrays[index]
        if array.kind != slot.kind:
            raise WrongWeights(f"{_path(theirs, index)} stands where a {slot.kind} of {ours.name} must stand")
        if array.values.shape != slot.shape:
            raise WrongWeights(f"{_path(theirs, index)} has shape {array.values.shape}, not {slot.shape}")
    if len(theirs.arrays) > len(ours.slots):
        raise WrongWeights(f"{_path(theirs, len(ours.slots))} is one array too many in its group")


def _fill(theirs: FileGroup, ours: Group) -> None:
    for index, slot in enumerate(ours.slots):
        try:
            slot.put(theirs.arrays[index].values)
        except WrongWeights as error:
            raise WrongWeights(f"{_path(theirs, index)} {error}") from None


def _path(group: FileGroup, index: int) -> str:
    return f"{group.name}/{group.arrays[index].name}"
