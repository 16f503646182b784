import os

# From 1.29 on ONNX Runtime tells its maker about the models that it loads, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
