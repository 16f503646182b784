"""Names of the tensors of all networks, as in their ONNX files and Triton configurations."""

from __future__ import annotations

IMAGE = "image"  # frame and person networks: UINT8 (B, S, S, 3), RGB
KEYPOINTS = "keypoints"  # frame network: (B, K, D) in 0..1 of the crop; z 0.5 is the root's plane
KEYPOINT_SCORES = "keypoint_scores"  # frame network: (B, K)
ACTION_FEATURES = "action_features"  # frame network: (B, F); clip network: (B, T, F)
CROP_BOXES = "crop_boxes"  # clip network, where it wants them: (B, T, 4), where each frame's crop was, in pixels
ACTION_SCORES = "action_scores"  # clip network: (B, A)
BOXES = "boxes"  # person network: (B, N, 4), x, y, width, height in 0..1 of the square
BOX_SCORES = "box_scores"  # person network: (B, N)
