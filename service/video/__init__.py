"""Time and frames. No network."""
