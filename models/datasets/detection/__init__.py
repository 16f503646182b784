"""Finds the person of a sequence: the detector on its frames, and its boxes linked."""
