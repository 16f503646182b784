"""Names of the tensors of all networks, in their ONNX files and Triton configurations."""

from __future__ import annotations

IMAGE = "image"  # frame and person networks: UINT8 (B, S, S, 3), RGB
KEYPOINTS = "keypoints"  # frame network: (B, K, D) in 0..1 of the crop; z is 0.5 at the root
KEYPOINT_SCORES = "keypoint_scores"  # frame network: (B, K)
ACTION_FEATURES = "action_features"  # frame network: (B, F); clip network: (B, T, F)
CROP_BOXES = "crop_boxes"  # clip network, optional: (B, T, 4), x, y, width, height of each crop window in pixels
ACTION_SCORES = "action_scores"  # clip network: (B, A)
BOXES = "boxes"  # person network: (B, N, 4), x, y, width, height in 0..1 of the letterbox
BOX_SCORES = "box_scores"  # person network: (B, N)
