"""A Triton of the service's own, kept running."""
