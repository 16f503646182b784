"""TensorRT engines for this machine's GPU. Runs without PyTorch."""
