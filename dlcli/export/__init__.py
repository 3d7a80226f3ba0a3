"""Models in the formats of other runtimes.

- ``description``         where an exported model comes from
- ``onnx_format``         ONNX
- ``safetensors_format``  safetensors, with the names of PyTorch
"""
