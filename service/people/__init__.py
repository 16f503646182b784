"""People: detection, keypoint search, tracking, smoothing."""
