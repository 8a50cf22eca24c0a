"""ONNX's own conformance cases, run through the lowering to TensorFlow."""
