"""deephar's networks in PyTorch. Reads and writes no file."""
