"""ONNX pose networks of somebody else: post-processing becomes part of the graph, which then is a frame network."""
