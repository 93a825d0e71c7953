"""Write a checkpoint as ONNX, checked against ONNX Runtime before it is written."""
from mlaface.cli.to_onnx import main

if __name__ == '__main__':
    main()
