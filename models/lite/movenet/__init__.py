"""MoveNet (Google, Apache-2.0): where the networks of `lite` start, and the teacher of the frame network."""
