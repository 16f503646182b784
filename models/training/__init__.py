"""Training of deephar's networks by the papers' recipes."""
