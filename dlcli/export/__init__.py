"""Models in the formats of other runtimes: ONNX and safetensors."""
