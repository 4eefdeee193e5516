"""Makes the models of this folder: small ONNX graphs for the unit tests, and the electricity model.

    python3 -m venv venv
    venv/bin/pip install onnx==1.23.2 onnxruntime==1.32.0 skl2onnx==1.20.0 onnxmltools==1.16.0 \
        scikit-learn==1.9.1 xgboost==3.2.0 numpy==2.4.6
    PYTHONHASHSEED=0 venv/bin/python generate.py graphs
    PYTHONHASHSEED=0 venv/bin/python generate.py electricity FOLDER_OF_THE_ELECTRICITY_DATA

`graphs` needs nothing but the packages. `electricity` reads elec2_data.dat and elec2_label.dat of
the Australian New South Wales electricity market set (45,312 half hours, 8 features).
Everything is seeded, and the same versions give the same bytes.
"""
import json
import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))


def value(name, element_type, shape):
    return helper.make_tensor_value_info(name, element_type, shape)


def save(name, nodes, inputs, outputs, initializers=(), opsets=None, check=True):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializer=list(initializers))
    opsets = opsets or {"": 15, "ai.onnx.ml": 3}
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(d, v) for d, v in opsets.items()])
    model.ir_version = 8
    model.producer_name = ""
    if check:
        onnx.checker.check_model(model)
    save_model(name, model)


def save_model(name, model):
    model.ir_version = min(model.ir_version, 8)
    model.graph.name = name  # Converters draw one at random.
    with open(os.path.join(HERE, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def shapes_and_types():
    """Graphs of a few nodes, one for each thing that a signature or a run can meet."""
    save("linear", [helper.make_node("Gemm", ["x", "w", "b"], ["variable"])],
         [value("x", FLOAT, ["rows", 3])], [value("variable", FLOAT, ["rows", 1])],
         [constant("w", np.float32([[1], [10], [100]])), constant("b", np.float32([0.5]))])

    every = {"bool": TensorProto.BOOL, "uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16,
             "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64, "int8": TensorProto.INT8,
             "int16": TensorProto.INT16, "int32": TensorProto.INT32, "int64": INT64,
             "fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16, "fp32": FLOAT,
             "fp64": TensorProto.DOUBLE, "bytes": STRING}
    save("every_type", [helper.make_node("Identity", [n], [n + "_out"]) for n in every],
         [value(n, t, ["rows", 2]) for n, t in every.items()],
         [value(n + "_out", t, ["rows", 2]) for n, t in every.items()])

    save("two_inputs",
         [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "b"], ["product"])],
         [value("a", FLOAT, ["rows", 2]), value("b", FLOAT, ["rows", 2])],
         [value("sum", FLOAT, ["rows", 2]), value("product", FLOAT, ["rows", 2])])

    # Two variable axes: the answer's shape is not known from the number of rows alone.
    save("dynamic_axes", [helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 1])],
         [value("x", FLOAT, ["rows", "length", 2])], [value("turned", FLOAT, ["rows", 2, "length"])])

    # The shape of the answer depends on the values.
    save("data_dependent", [helper.make_node("NonZero", ["x"], ["where"])],
         [value("x", FLOAT, ["rows", 2])], [value("where", INT64, [2, "found"])])

    # As many rows in the answer as there are non-zero elements: for some input as many as rows went in.
    save("compress", [helper.make_node("Cast", ["x"], ["keep"], to=TensorProto.BOOL),
                      helper.make_node("Compress", ["x", "keep"], ["kept"], axis=0)],
         [value("x", FLOAT, ["rows"])], [value("kept", FLOAT, ["rows"])])

    # The zeros of the input: on made-up input, all of it.
    save("keep_zeros", [helper.make_node("Cast", ["x"], ["is_other"], to=TensorProto.BOOL),
                        helper.make_node("Not", ["is_other"], ["keep"]),
                        helper.make_node("Compress", ["x", "keep"], ["zeros"], axis=0)],
         [value("x", FLOAT, ["rows"])], [value("zeros", FLOAT, ["zeros"])])

    save("fixed_shape", [helper.make_node("Relu", ["image"], ["out"])],
         [value("image", FLOAT, [1, 2, 2])], [value("out", FLOAT, [1, 2, 2])])
    save("scalar", [helper.make_node("Neg", ["x"], ["y"])],
         [value("x", FLOAT, [])], [value("y", FLOAT, [])])

    # The input `scale` has an initialiser: a caller may leave it out.
    save("optional_input", [helper.make_node("Mul", ["x", "scale"], ["y"])],
         [value("x", FLOAT, ["rows", 1]), value("scale", FLOAT, [1])], [value("y", FLOAT, ["rows", 1])],
         [constant("scale", np.float32([3]))])

    save("strings",
         [helper.make_node("LabelEncoder", ["city"], ["code"], domain="ai.onnx.ml",
                           keys_strings=["Bern", "Wien"], values_int64s=[1, 2], default_int64=-1),
          helper.make_node("Identity", ["city"], ["echo"])],
         [value("city", STRING, ["rows", 1])],
         [value("code", INT64, ["rows", 1]), value("echo", STRING, ["rows", 1])])

    save("gather", [helper.make_node("Gather", ["table", "index"], ["y"])],
         [value("index", INT64, ["rows"])], [value("y", FLOAT, ["rows"])],
         [constant("table", np.float32([7, 8, 9]))])
    # Fails on zeros, which is what a made-up input holds.
    save("refuses_zero", [helper.make_node("Sub", ["index", "four"], ["before"]),
                          helper.make_node("Gather", ["table", "before"], ["y"])],
         [value("index", INT64, ["rows"])], [value("y", FLOAT, ["rows"])],
         [constant("table", np.float32([7, 8, 9])), constant("four", np.int64(4))])

    # Larger than the buffers that a session keeps for small tensors.
    save("wide", [helper.make_node("Neg", ["x"], ["y"])],
         [value("x", FLOAT, ["rows", 3000])], [value("y", FLOAT, ["rows", 3000])])

    # The size of a small picture, and nothing to compute: for the benchmarks.
    save("identity", [helper.make_node("Identity", ["x"], ["y"])],
         [value("x", FLOAT, ["rows", 784])], [value("y", FLOAT, ["rows", 784])])

    # 8 MB of temporary memory from a small file: what a run takes must go back.
    save("heavy", [helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
                   helper.make_node("Add", ["zeros", "x"], ["sums"]),
                   helper.make_node("ReduceMax", ["sums"], ["y"], keepdims=0)],
         [value("x", FLOAT, [1])], [value("y", FLOAT, [])],
         [constant("shape", np.int64([2, 1024, 1024]))])


def costly(name, repeats, size=128):
    """The interface of the electricity model at a fixed cost per call, whatever the rows: a chain
    of `repeats` matrix products, all of ones / size, so that the state stays 1. What it answers
    is the logistic function of the mean of a row."""
    def tensor(name, shape):
        return value(name, FLOAT, shape)

    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]),
         helper.make_node("MatMul", ["state", "ones"], ["next"])],
        "body", [value("i", INT64, []), value("go", TensorProto.BOOL, []), tensor("state", [size, size])],
        [value("go_on", TensorProto.BOOL, []), tensor("next", [size, size])])
    save(name, [
        helper.make_node("ConstantOfShape", ["size"], ["ones"],
                         value=helper.make_tensor("value", FLOAT, [1], [1 / size])),
        helper.make_node("ConstantOfShape", ["size"], ["first"],
                         value=helper.make_tensor("value", FLOAT, [1], [1])),
        helper.make_node("Loop", ["repeats", "", "first"], ["last"], body=body),
        helper.make_node("ReduceMin", ["last"], ["one"], keepdims=0),
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "one"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["p1"]),
        helper.make_node("Sub", ["unit", "p1"], ["p0"]),
        helper.make_node("Concat", ["p0", "p1"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0)],
        [tensor("input", ["rows", 8])],
        [value("label", INT64, ["rows"]), tensor("probabilities", ["rows", 2])],
        [constant("size", np.int64([size, size])), constant("repeats", np.int64(repeats)),
         constant("unit", np.float32(1))])


def refused():
    """Files that are models but cannot be served."""
    save("unknown_operator", [helper.make_node("Frobnicate", ["x"], ["y"], domain="com.example")],
         [value("x", FLOAT, ["rows", 1])], [value("y", FLOAT, ["rows", 1])],
         opsets={"": 15, "com.example": 1}, check=False)
    save("future_opset", [helper.make_node("Relu", ["x"], ["y"])],
         [value("x", FLOAT, ["rows", 1])], [value("y", FLOAT, ["rows", 1])],
         opsets={"": 999}, check=False)
    map_type = helper.make_map_type_proto(STRING, helper.make_tensor_type_proto(FLOAT, None))
    save("map_input",
         [helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml",
                           string_vocabulary=["a", "b"])],
         [helper.make_value_info("x", map_type)], [value("y", FLOAT, [1, 2])], check=False)
    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    save("sequence_output", [helper.make_node("SequenceConstruct", ["x"], ["y"])],
         [value("x", FLOAT, ["rows", 1])], [helper.make_value_info("y", sequence)], check=False)


def learned():
    """Models as the usual converters write them, with what the Python packages answer."""
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType as XgbFloat
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    import pandas
    import xgboost

    iris = load_iris()
    x, y = iris.data.astype(np.float32), iris.target
    names = iris.target_names[y]
    rows = x[[0, 60, 120]]
    expected = {"iris_rows": rows.tolist()}

    def keep(name, model, **options):
        initial = [("input", FloatTensorType([None, 4]))]
        save_model(name, to_onnx(model, initial_types=initial, target_opset=15,
                                 options={id(model): options}))

    by_name = LogisticRegression(max_iter=1000).fit(x, names)
    keep("iris_zipmap", by_name)
    keep("iris_tensor", by_name, zipmap=False)
    expected["iris_labels"] = by_name.predict(rows).tolist()
    expected["iris_probabilities"] = by_name.predict_proba(rows).tolist()

    binary = LogisticRegression(max_iter=1000).fit(x, (y == 2).astype(int))
    keep("binary_zipmap", binary)
    expected["binary_probabilities"] = binary.predict_proba(rows).tolist()

    regression = LinearRegression().fit(x[:, :3], x[:, 3])
    save_model("regression", to_onnx(
        regression, initial_types=[("input", FloatTensorType([None, 3]))], target_opset=15))
    expected["regression"] = regression.predict(rows[:, :3]).tolist()

    generator = np.random.default_rng(7)
    frame = pandas.DataFrame({"amount": generator.normal(50, 20, 300).astype(np.float32),
                              "city": generator.choice(["Bern", "Wien", "Graz"], 300)})
    target = ((frame.amount > 55) ^ (frame.city == "Wien")).astype(int)
    pipeline = make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["amount"]), ("c", OneHotEncoder(), ["city"])]),
        LogisticRegression())
    pipeline.fit(frame, target)
    save_model("mixed_columns", to_onnx(
        pipeline, initial_types=[("amount", FloatTensorType([None, 1])),
                                 ("city", StringTensorType([None, 1]))],
        target_opset=15, options={id(pipeline): {"zipmap": False}}))
    expected["mixed_columns"] = pipeline.predict_proba(pandas.DataFrame(
        {"amount": np.float32([40, 70]), "city": ["Wien", "Bern"]})).tolist()

    trees = xgboost.XGBClassifier(n_estimators=4, max_depth=2, random_state=7, n_jobs=1).fit(x, y)
    save_model("xgboost_multiclass", convert_xgboost(
        trees, initial_types=[("input", XgbFloat([None, 4]))], target_opset=15))
    expected["xgboost_probabilities"] = trees.predict_proba(rows).tolist()

    with open(os.path.join(HERE, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


def electricity(folder):
    """XGBoost, 100 trees of depth 6, on the first 30,000 rows in the order of the stream."""
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = np.loadtxt(os.path.join(folder, "elec2_data.dat"), dtype=np.float32)
    y = np.loadtxt(os.path.join(folder, "elec2_label.dat"), dtype=np.int32)
    assert x.shape == (45312, 8), x.shape
    trained = 30000
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.1,
                                  tree_method="hist", n_jobs=2, random_state=7)
    model.fit(x[:trained], y[:trained])
    model.get_booster().save_model(os.path.join(HERE, "electricity_v1.ubj"))
    save_model("electricity_v1", convert_xgboost(
        model, initial_types=[("input", FloatTensorType([None, 8]))], target_opset=15))

    probabilities = model.predict_proba(x[trained:])[:, 1]
    accuracy = float(((probabilities > 0.5) == y[trained:]).mean())
    chosen = np.linspace(trained, len(x) - 1, 200).astype(int)
    session = onnxruntime.InferenceSession(
        os.path.join(HERE, "electricity_v1.onnx"), providers=["CPUExecutionProvider"])
    by_onnx = session.run(None, {"input": x[chosen]})[1][:, 1]
    expected = probabilities[chosen - trained]
    assert float(np.abs(by_onnx - expected).max()) < 1e-6
    rows = [[round(float(v), 6) for v in row] for row in x[chosen]]
    assert (np.asarray(rows, dtype=np.float32) == x[chosen]).all()
    with open(os.path.join(HERE, "electricity_rows.json"), "w") as file:
        file.write('{"held_out_accuracy": %.4f,\n "rows": [\n  ' % accuracy)
        file.write(",\n  ".join(json.dumps(row) for row in rows))
        file.write('],\n "probabilities": [\n  ')
        file.write(",\n  ".join(repr(float(v)) for v in expected))
        file.write("]}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["graphs"]:
        shapes_and_types()
        costly("fixed_cost", 10)
        costly("slow", 1300)
        refused()
        learned()
    elif len(sys.argv) == 3 and sys.argv[1] == "electricity":
        electricity(sys.argv[2])
    else:
        sys.exit(__doc__)
