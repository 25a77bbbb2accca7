"""Networks as ONNX, written from their drawing."""
