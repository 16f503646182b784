"""deephar's evaluation protocol as pure functions: a network's inputs and the meaning of its outputs.

After Luvizon et al., CVPR'18 and TPAMI'20. NumPy and Pillow only, so that PyTorch, ONNX and the served model are
evaluated by the same code. The gateway uses none of it.
"""
