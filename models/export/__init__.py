"""Networks as models of Triton's repository: an ONNX file and its configuration."""
