"""Trains small tree models and stores what their own libraries predict.

For every case NAME two files: the model NAME.{json,ubj,txt}, as save_model() writes it, and
NAME.expected, a text of inputs and predictions that src/model/forest_golden_test.cc reads:

    # made by xgboost 3.2.0
    input ROWS FEATURES
    one line of numbers per row
    output NAME ROWS COLUMNS
    one line of numbers per row

LightGBM's files are cut after "end of trees", where their parameters follow, to keep them small.
A name ending in "_refused" is a model that Weir must refuse; it has no .expected.

Run it once in each of these environments (Python 3.11); each writes its own cases:

    pip install xgboost==1.7.6 scikit-learn==1.3.2 numpy==1.26.4 scipy==1.11.4
    pip install xgboost==2.1.4 scikit-learn==1.4.2 numpy==1.26.4 scipy==1.11.4
    pip install xgboost-cpu==3.2.0 lightgbm==4.7.0 scikit-learn==1.8.0 numpy==2.4.6 scipy==1.17.1
    pip install lightgbm==3.3.5 scikit-learn==1.3.2 numpy==1.26.4 scipy==1.11.4
"""

import json
import pathlib
import sys

import numpy as np

try:
    import xgboost
except ImportError:
    xgboost = None
try:
    import lightgbm
except ImportError:
    lightgbm = None

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
FOLDER = FOLDER if FOLDER.is_dir() else FOLDER.parent
TRAINING_ROWS = 600
FEATURES = 5
CATEGORICAL = 4  # The last feature holds small whole numbers.


def make_data(seed, missing=0.15):
    random = np.random.default_rng(seed)
    x = random.normal(size=(TRAINING_ROWS, FEATURES)).astype(np.float32)
    x[:, 2] = random.integers(-2, 4, TRAINING_ROWS)
    x[:, CATEGORICAL] = random.integers(0, 12, TRAINING_ROWS)
    signal = x[:, 0] - 0.7 * x[:, 1] * (x[:, 2] > 0) + np.isin(x[:, CATEGORICAL], [1, 4, 7, 11])
    signal = signal + 0.3 * random.normal(size=TRAINING_ROWS)
    x[random.random(x.shape) < missing] = np.nan
    return x, signal


def probes(x, thresholds):
    """Rows of the training data, then rows at the edges: thresholds, zeros, odd categories."""
    rows = [x[i] for i in range(5)]
    for value in [np.nan, 0.0, -0.0, 1e-36, -1e-36, 1e30, -1e30, 11.0, 12.0, 40.0, -0.5, -1.0, 3.7]:
        rows.append(np.full(FEATURES, value, np.float32))
    for feature, threshold in thresholds[:4]:
        near = np.float32(threshold)
        for value in [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]:
            row = x[len(rows)].copy()
            row[feature] = value
            rows.append(row)
    return np.array(rows, np.float32)


def write_table(file, title, table):
    table = np.asarray(table, np.float64)
    table = table.reshape(table.shape[0], -1)
    file.write(f"{title} {table.shape[0]} {table.shape[1]}\n")
    for row in table:
        file.write(" ".join(f"{value:.9g}" for value in row) + "\n")


def write_expected(name, made_by, rows, outputs):
    with open(FOLDER / f"{name}.expected", "w") as file:
        file.write(f"# made by {made_by}\n")
        write_table(file, "input", rows)
        for output, table in outputs.items():
            write_table(file, f"output {output}", table)


def classes(probabilities):
    """The outputs of a classifier, from its probabilities (binary: of class 1)."""
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim == 1:
        label = probabilities > 0.5
        probabilities = np.stack([1 - probabilities, probabilities], axis=1)
    else:
        label = probabilities.argmax(axis=1)
    return {"label": label, "probabilities": probabilities}


# --- XGBoost -------------------------------------------------------------------------------------


def xgboost_thresholds(booster):
    found = []
    for tree in json.loads(booster.save_raw("json"))["learner"]["gradient_booster"].get(
        "model", {}
    ).get("trees", []):
        for left, feature, threshold, kind in zip(
            tree["left_children"], tree["split_indices"], tree["split_conditions"], tree["split_type"]
        ):
            if left != -1 and kind == 0:
                found.append((feature, threshold))
    return found


def store_xgboost(name, booster, form, x, to_outputs, iterations=(0, 0), types=None):
    version = xgboost.__version__
    name = f"xgboost_{version.split('.')[0]}_{name}"
    booster.save_model(FOLDER / f"{name}.{form}")
    if to_outputs is None:
        return
    rows = probes(x, xgboost_thresholds(booster))
    if types:
        valid = rows[:, CATEGORICAL]
        # Newer versions refuse codes that are no categories; Weir must agree on the rest.
        rows = rows[np.isnan(valid) | ((valid >= 0) & (valid < 12))]
    matrix = xgboost.DMatrix(rows, feature_types=types, feature_names=booster.feature_names)
    answer = booster.predict(matrix, iteration_range=iterations)
    write_expected(name, f"xgboost {version}", rows, to_outputs(answer))


def variable(answer):
    return {"variable": answer}


def label_only(answer):
    return {"label": answer}


def train_xgboost(name, form, objective, target, to_outputs, parameters=None, types=None, rounds=3, names=None, depth=3):
    x, signal = make_data(len(name))
    matrix = xgboost.DMatrix(
        x, target(signal), feature_types=types, enable_categorical=bool(types), feature_names=names
    )
    parameters = {
        "objective": objective, "max_depth": depth, "eta": 0.5, "tree_method": "hist", "nthread": 1,
        "seed": 7, **(parameters or {}),
    }
    if objective.startswith("rank:"):
        matrix.set_group([20] * (TRAINING_ROWS // 20))
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", target(signal))
        matrix.set_float_info("label_upper_bound", target(signal) * 1.5)
    booster = xgboost.train(parameters, matrix, rounds)
    store_xgboost(name, booster, form, x, to_outputs, types=types)


def positive(signal):
    return signal > 0.5


def three(signal):
    return np.digitize(signal, [0, 1])


def count(signal):
    return np.floor(np.exp(np.clip(signal, -2, 3)))


def grade(signal):
    return np.digitize(signal, [-0.5, 0.5, 1.5])


def probability(signal):
    return 1 / (1 + np.exp(-signal))


def make_xgboost():
    major = int(xgboost.__version__.split(".")[0])
    types = ["q", "q", "q", "q", "c"]
    dart = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}
    for form in ["json", "ubj"] if major != 2 else ["ubj"]:
        train_xgboost(f"binary_{form}", form, "binary:logistic", positive, classes)
    train_xgboost("dart", "json" if major == 1 else "ubj", "binary:logistic", positive, classes, dart,
                  rounds=4)
    train_xgboost("categorical", "json", "binary:logistic", positive, classes,
                  {"max_cat_to_onehot": 1}, types)
    train_xgboost("onehot", "ubj", "reg:squarederror", lambda s: s * 100, variable,
                  {"max_cat_to_onehot": 100}, types)
    train_xgboost("softprob", "ubj", "multi:softprob", three, classes, {"num_class": 3}, rounds=2)
    if major > 1:
        make_targets()
    if major == 2:
        return
    train_xgboost("base_score", "json", "binary:logistic", positive, classes, {"base_score": 0.2})
    train_xgboost("poisson", "ubj", "count:poisson", count, variable, rounds=2, depth=2)
    train_xgboost("linear_refused", "json", "reg:squarederror", lambda s: s, None,
                  {"booster": "gblinear", "tree_method": "auto"})
    make_early_stopped()
    if major < 3:
        return
    train_xgboost("softmax", "ubj", "multi:softmax", three, label_only, {"num_class": 3}, rounds=2)
    train_xgboost("raw", "ubj", "binary:logitraw", positive, variable, rounds=2, depth=2)
    train_xgboost("hinge", "ubj", "binary:hinge", positive, label_only, rounds=2, depth=2)
    train_xgboost("proportion", "ubj", "reg:logistic", probability, variable, rounds=2, depth=2)
    train_xgboost("gamma", "ubj", "reg:gamma", lambda s: np.exp(s), variable, rounds=2, depth=2)
    train_xgboost("tweedie", "ubj", "reg:tweedie", count, variable, rounds=2, depth=2)
    train_xgboost("absolute", "ubj", "reg:absoluteerror", lambda s: s * 1000, variable, rounds=2, depth=2)
    train_xgboost("survival", "ubj", "survival:aft", lambda s: np.exp(s), variable, rounds=2, depth=2)
    train_xgboost("rank", "ubj", "rank:ndcg", grade, variable, {"lambdarank_num_pair_per_sample": 4}, rounds=2, depth=2)
    train_xgboost("quantiles", "ubj", "reg:quantileerror", lambda s: s, variable,
                  {"quantile_alpha": [0.1, 0.9]}, rounds=2, depth=2)
    train_xgboost("parallel", "ubj", "binary:logistic", positive, classes,
                  {"num_parallel_tree": 3, "subsample": 0.5}, rounds=2)
    train_xgboost("named", "json", "binary:logistic", positive, classes, rounds=2,
                  names=["age", "income", "visits", "score", "region"])
    train_xgboost("dart_softprob", "ubj", "multi:softprob", three, classes,
                  {"num_class": 3, **dart}, rounds=2)


def make_early_stopped():
    """The same training, saved by the scikit-learn class and by the booster: see forest_reader.h."""
    x, signal = make_data(5)
    y = positive(signal).astype(int)
    y[::9] = 1 - y[::9]
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=3, learning_rate=1.0, n_jobs=1,
                                  tree_method="hist", early_stopping_rounds=3)
    model.fit(x[:300], y[:300], eval_set=[(x[300:], y[300:])], verbose=False)
    version = xgboost.__version__
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    name = f"xgboost_{version.split('.')[0]}_early_class"
    model.save_model(FOLDER / f"{name}.ubj")
    rows = probes(x, xgboost_thresholds(model.get_booster()))
    write_expected(name, f"xgboost {version}", rows, classes(model.predict_proba(rows)[:, 1]))
    booster = model.get_booster()
    booster.set_attr(scikit_learn=None)
    store_xgboost("early_booster", booster, "ubj", x, classes)


def make_targets():
    x, signal = make_data(6)
    y = np.stack([signal, -2 * signal + x[:, 3]], axis=1)
    y[np.isnan(y)] = 0
    for name, strategy, form in [("targets", "one_output_per_tree", variable),
                                 ("vector_refused", "multi_output_tree", None)]:
        booster = xgboost.train(
            {"objective": "reg:squarederror", "max_depth": 3, "tree_method": "hist", "nthread": 1,
             "multi_strategy": strategy}, xgboost.DMatrix(x, y), 2)
        store_xgboost(name, booster, "ubj", x, form)


# --- LightGBM ------------------------------------------------------------------------------------


def lightgbm_thresholds(booster):
    found = []

    def visit(node):
        if "split_feature" in node:
            if node["decision_type"] == "<=":
                found.append((node["split_feature"], node["threshold"]))
            visit(node["left_child"])
            visit(node["right_child"])

    for tree in booster.dump_model()["tree_info"]:
        visit(tree["tree_structure"])
    return found


def train_lightgbm(name, objective, target, to_outputs, parameters=None, categorical=False, rounds=3):
    x, signal = make_data(len(name) + 40)
    if categorical:
        x[:, CATEGORICAL] = np.where(np.isnan(x[:, CATEGORICAL]), np.nan, x[:, CATEGORICAL] * 3)
    data = lightgbm.Dataset(
        x.astype(np.float64), target(signal).astype(float),
        categorical_feature=[CATEGORICAL] if categorical else [], free_raw_data=False,
    )
    parameters = {
        "objective": objective, "num_leaves": 6, "learning_rate": 0.4, "num_threads": 1, "seed": 3,
        "verbosity": -1, "deterministic": True, "min_data_in_leaf": 10, **(parameters or {}),
    }
    if objective in ("lambdarank", "rank_xendcg"):
        data.set_group([20] * (TRAINING_ROWS // 20))
    booster = lightgbm.train(parameters, data, rounds)
    version = lightgbm.__version__
    name = f"lightgbm_{version.split('.')[0]}_{name}"
    text = booster.model_to_string()
    (FOLDER / f"{name}.txt").write_text(text[: text.index("end of trees")] + "end of trees\n")
    if to_outputs is None:
        return
    rows = probes(x, lightgbm_thresholds(booster))
    write_expected(name, f"lightgbm {version}", rows, to_outputs(booster.predict(rows)))


def own_gradient(predictions, data):
    return predictions - data.get_label(), np.ones_like(predictions)


def make_lightgbm():
    train_lightgbm("binary", "binary", positive, classes, {"sigmoid": 0.7})
    train_lightgbm("categorical", "binary", positive, classes,
                   {"min_data_per_group": 10, "cat_smooth": 1, "max_cat_to_onehot": 1}, True)
    train_lightgbm("multiclass", "multiclass", three, classes, {"num_class": 3}, rounds=2)
    train_lightgbm("zero_missing", "regression", lambda s: s * 100, variable, {"zero_as_missing": True})
    if lightgbm.__version__.startswith("3"):
        return
    train_lightgbm("onehot", "regression", lambda s: s, variable, {"max_cat_to_onehot": 100}, True)
    train_lightgbm("one_vs_all", "multiclassova", three, classes, {"num_class": 3}, rounds=2)
    train_lightgbm("no_missing", "regression", lambda s: s + 1e5, variable, {"use_missing": False}, rounds=2)
    train_lightgbm("square_root", "regression", lambda s: s * 10, variable, {"reg_sqrt": True}, rounds=2)
    train_lightgbm("absolute", "regression_l1", lambda s: s, variable, rounds=2)
    train_lightgbm("quantile", "quantile", lambda s: s, variable, {"alpha": 0.8}, rounds=2)
    train_lightgbm("poisson", "poisson", count, variable, rounds=2)
    train_lightgbm("tweedie", "tweedie", count, variable, rounds=2)
    train_lightgbm("cross_entropy", "cross_entropy", probability, variable, rounds=2)
    train_lightgbm("cross_entropy_lambda", "cross_entropy_lambda", probability, variable, rounds=2)
    train_lightgbm("rank", "lambdarank", grade, variable, rounds=2)
    train_lightgbm("dart", "binary", positive, classes, {"boosting": "dart", "drop_rate": 0.6}, rounds=5)
    bagging = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
    train_lightgbm("forest", "binary", positive, classes, bagging)
    train_lightgbm("forest_regression", "regression", lambda s: s * 10, variable, bagging, rounds=2)
    train_lightgbm("stumps", "binary", positive, classes, {"min_data_in_leaf": 590})
    train_lightgbm("own_objective", own_gradient, lambda s: s, variable, rounds=2)
    train_lightgbm("linear_refused", "regression", lambda s: s, None, {"linear_tree": True}, rounds=2)


if xgboost:
    make_xgboost()
if lightgbm:
    make_lightgbm()
