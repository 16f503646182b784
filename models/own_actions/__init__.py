"""Clip networks for actions of one's own, on lite's keypoints."""
