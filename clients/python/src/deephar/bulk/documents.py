"""gRPC's answer for a picture as REST's JSON, without the objects between: of thousands of pictures they cost."""

from __future__ import annotations

from deephar import messages
from deephar.results import Json
from deephar.v1 import inference_pb2 as pb


def pose_document(message: pb.EstimatePoseResponse) -> Json:
    """Returns what `messages.pose_answer(message).to_dict()` does."""
    return {
        **messages.choice_of(message),
        "image": {"width": message.image_width, "height": message.image_height},
        "layout": messages.layout_of(message.layout).to_dict(),
        "people": [_person(person) for person in message.people],
        "timing_ms": dict(message.timing_ms),
    }


def _person(message: pb.Person) -> Json:
    box = message.box
    return {
        "box": [box.x, box.y, box.width, box.height],
        "score": message.score,
        "detection_score": message.detection_score if message.HasField("detection_score") else None,
        "keypoints": [_keypoint(point) for point in message.keypoints],
    }


def _keypoint(message: pb.Keypoint) -> Json:
    score, has = message.score, message.HasField
    document: Json = {
        "name": message.name,
        "x": message.x if score or has("x") else None,
        "y": message.y if score or has("y") else None,
        "score": score,
    }
    if has("z"):
        document["z"] = message.z
    if has("position_mm"):
        place = message.position_mm
        document["position_mm"] = [place.x, place.y, place.z]
    return document
