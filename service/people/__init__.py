"""Who is where: detection, search by keypoints, tracks and their smoothing."""
