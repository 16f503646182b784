"""The person detector. Of the other parts of `lite` it may import frame only."""
