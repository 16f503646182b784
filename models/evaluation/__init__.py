"""Evaluation of the networks on public data sets: in torch, in ONNX Runtime, on Triton and through the gateway."""
