"""The model as the servers in Python run it: ONNX Runtime, one thread."""
import os

import numpy
import onnxruntime


class Model:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    def probabilities(self, rows):
        rows = numpy.asarray(rows, dtype=numpy.float32)
        return self.session.run(["probabilities"], {"input": rows})[0]
