"""ONNX Runtime as a peer: a small exporter for models in a row, and sessions over memory bound once."""
import onnx
import onnx.helper
import onnx.numpy_helper
import onnxruntime
from torch import nn


class OnnxRuntime:
    version = onnxruntime.__version__
    peer = "onnxruntime " + version

    def __init__(self, threads):
        onnxruntime.disable_telemetry_events()
        self.threads = threads

    def node(self, layer, name, source, result, weights):
        """The node for a layer, whose weights are put into the list."""
        helper, inputs = onnx.helper, [source]
        for which, tensor in layer.named_parameters():
            weights.append(onnx.numpy_helper.from_array(tensor.detach().numpy(), f"{name}.{which}"))
            inputs.append(f"{name}.{which}")
        kind, attributes = {
            nn.Linear: ("Gemm", {"transB": 1}),
            nn.Conv2d: ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
            nn.ReLU: ("Relu", {}),
            nn.MaxPool2d: ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            nn.Flatten: ("Flatten", {"axis": 1}),
        }[type(layer)]
        return helper.make_node(kind, inputs, [result], **attributes)

    def save(self, model, x, path):
        helper, layers, weights, nodes = onnx.helper, list(model), [], []
        for k, layer in enumerate(layers):
            result = "y" if k == len(layers) - 1 else f"between{k}"
            nodes.append(self.node(layer, f"layer{k}", nodes[-1].output[0] if nodes else "x", result, weights))
        kind = onnx.TensorProto.FLOAT
        graph = helper.make_graph(nodes, "model", [helper.make_tensor_value_info("x", kind, list(x.shape))],
                                  [helper.make_tensor_value_info("y", kind, None)], weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)

    def session(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def bound(self, session, x):
        """A call over memory that is bound once."""
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x.numpy()))
        binding.bind_output("y")
        return lambda: session.run_with_iobinding(binding)
