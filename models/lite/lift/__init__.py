"""The lift from two dimensions to three. Of the other parts of `lite` it may import frame only."""
