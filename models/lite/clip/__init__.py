"""The clip network: actions of joints over time. Of the other parts of `lite` it may import frame only."""
