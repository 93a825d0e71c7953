"""ONNX and friends, and converters of foreign weights."""
