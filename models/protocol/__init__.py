"""deephar's evaluation protocol as pure functions: what goes into a network and what its answers mean.

After Luvizon et al., CVPR'18 and TPAMI'20; NumPy and Pillow only, so that PyTorch, ONNX and the served model are judged
by the same code. Nothing here is used by the gateway.
"""
