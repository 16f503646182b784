"""What computes: torch, ONNX Runtime, a Triton, or the gateway in front of one."""
