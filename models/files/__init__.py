"""Files and folders. Knows no network and loads no PyTorch."""
