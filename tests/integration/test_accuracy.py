"""The bars that the committed model must hold, on real people and real clips, through the served model."""

from __future__ import annotations

from pathlib import Path

from deephar import Client

from bench import accuracy
from models.lite import pose_data
from tests.service_process import ServiceProcess


def test_joints_of_held_out_people(service: ServiceProcess, shared_data: Path) -> None:
    with Client(service.grpc_address) as client:
        figures = accuracy.measure_pose(client, pose_data.load_held_out(shared_data), with_boxes=True)
    assert figures["all"] >= 0.65, figures


def test_actions_from_annotated_joints(service: ServiceProcess, shared_data: Path) -> None:
    measured = accuracy.measure_labels(service.triton_address(), shared_data)
    assert measured["clips"] == 1068
    assert measured["accuracy"] >= 0.95, measured


def test_actions_of_real_clips(service: ServiceProcess, shared_data: Path) -> None:
    with Client(service.grpc_address) as client:
        rows = accuracy.measure_clips(client, shared_data / "clips")
    assert len(rows) == 14
    assert sum(truth == named for _, truth, named, _ in rows) >= 6, rows
