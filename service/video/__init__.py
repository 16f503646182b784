"""Videos: frames, sampling by time, windows, segments. No network."""
