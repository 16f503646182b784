"""deephar's released weights, from the download to the import. PyTorch is loaded by the import only."""
