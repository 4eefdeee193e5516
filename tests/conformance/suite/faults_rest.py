"""One fault per point over REST. Each is as small as a server's bug would be."""
import numpy as np

from suite.proxy import LENGTH

FAULTS = {}


def breaks(point):
    def keep(fault):
        FAULTS[point] = fault
        return fault
    return keep


def flat_count(shape):
    return int(np.prod([float(d) for d in shape])) if shape else 0


@breaks("C2")
def an_error_is_plain_text(x):
    yield
    if x.path == "/v2/no-such-path":
        x.answer_body = b"not found"


@breaks("C3")
def the_media_type_decides(x):
    asked = x.asked
    if x.header(LENGTH) and not x.header("Content-Type") and [0, 2] not in [
            i.get("shape") for i in x.inputs()]:
        asked.get("parameters", {}).pop("binary_data_output", None)
        if asked:
            x.ask(asked)
    yield


@breaks("C4")
def json_outputs_have_parameters(x):
    yield
    if x.is_infer() and x.status == 200 and "Content-Encoding" not in x.answer_headers:
        document = x.document
        for output in document["outputs"]:
            if "data" in output:
                output["parameters"] = {"content_type": "np"}
        x.answer(document)


@breaks("C5")
def the_answer_is_chunked(x):
    yield
    x.chunked = LENGTH.upper() in x.headers


@breaks("C6")
def the_slash_is_another_path(x):
    yield
    if x.path == "/v2/":
        x.answer({"error": "no such path"}, 404)


@breaks("C7")
def ready_has_no_body(x):
    yield
    if x.path == "/v2/health/ready":
        x.answer_body = b"{}"


@breaks("C8")
def binary_answers_have_no_model_name(x):
    yield
    if x.is_infer() and LENGTH in x.answer_headers:
        document = x.document
        del document["model_name"]
        x.answer(document)


@breaks("C9")
def a_sequence_is_a_number(x):
    yield
    if isinstance(x.asked.get("parameters", {}).get("sequence_id"), str):
        x.answer({"error": "sequence_id must be a number"}, 400)


@breaks("C10")
def names_are_not_decoded(x):
    yield
    if x.path.startswith("/v2/models/%74"):
        x.answer({"error": "unknown model"}, 404)


@breaks("C12")
def texts_end_at_a_zero_byte(x):
    yield
    x.answer_body = x.answer_body.replace(b"\x03\0\0\0a\0b", b"\x03\0\0\0a  ")


@breaks("C14")
def empty_outputs_are_json(x):
    yield
    if x.is_infer() and x.status == 200 and [0, 2] in [i.get("shape") for i in x.inputs()]:
        document = x.document
        for output in document["outputs"]:
            output.pop("parameters", None)
            output["data"] = []
        x.answer(document)


@breaks("C15")
def an_id_of_our_own(x):
    yield
    if x.asked.get("id") == "mine":
        x.answer({**x.document, "id": "ours"})


@breaks("C16")
def nested_data_is_turned(x):
    asked = x.asked
    for tensor in asked.get("inputs", []):
        if isinstance((tensor.get("data") or [0])[0], list):
            tensor["data"] = tensor["data"][::-1]
            x.ask(asked)
    yield


@breaks("C17")
def halves_are_read_from_json(x):
    yield
    if x.status == 400 and any(i.get("datatype") in ("FP16", "BF16") and "data" in i
                               for i in x.inputs()):
        x.accept()


@breaks("C18")
def bytes_left_over_are_ignored(x):
    if x.is_infer() and x.header(LENGTH) and x.body.endswith(b"x"):
        x.body = x.body[:-1]
    yield


@breaks("C19")
def a_fraction_is_a_header_length(x):
    yield
    if x.header(LENGTH) == "1.5":
        x.accept()


@breaks("C20")
def an_overflow_is_not_seen(x):
    yield
    if any(d >= 2**62 for i in x.inputs() for d in i.get("shape", [])):
        x.accept()


@breaks("C21")
def counts_are_not_named(x):
    yield
    if x.status == 400 and any("data" in i and len(i["data"]) == flat_count(i["shape"]) + 1
                               for i in x.inputs() if i.get("shape")):
        x.answer({"error": "bad input"})


@breaks("C22")
def unknown_triton_parameters_are_ignored(x):
    asked = x.asked
    if asked.get("parameters", {}).pop("triton_unknown", None):
        x.ask(asked)
    yield


@breaks("C23")
def the_flag_of_the_request_wins(x):
    asked = x.asked
    if asked.get("parameters", {}).get("binary_data_output"):
        for output in asked.get("outputs", []):
            output.pop("parameters", None)
            x.ask(asked)
    yield


@breaks("C24")
def mixed_answers_are_called_json(x):
    yield
    if x.is_infer() and LENGTH in x.answer_headers:
        if any("data" in o for o in x.document["outputs"]):
            x.answer_headers["Content-Type"] = "application/json"


@breaks("C25")
def no_raw_requests(x):
    yield
    if x.header(LENGTH) == "0":
        x.answer_headers.pop(LENGTH, None)
        x.answer({"error": "no inputs"}, 400)


@breaks("C26")
def answers_are_never_deflated(x):
    if x.header("Accept-Encoding") == "deflate":
        x.headers = {k: v for k, v in x.headers.items() if k != "Accept-Encoding"}
    yield


@breaks("C27")
def a_wrong_verb_is_a_bad_request(x):
    yield
    if x.status == 405:
        x.status = 400


@breaks("C28")
def load_wants_a_body(x):
    yield
    if x.path.endswith("/load") and not x.body:
        x.answer({"error": "no body"}, 400)


@breaks("C29")
def batches_are_not_counted(x):
    yield
    if x.path.endswith("/stats"):
        document = x.document
        for model in document["model_stats"]:
            model["batch_stats"] = []
        x.answer(document)


@breaks("C31")
def the_datatype_has_to_come_first(x):
    yield
    if x.is_infer() and next(iter(x.inputs()[0]), "") == "data":
        x.answer({"error": "'data' before 'shape'"}, 400)


@breaks("C32")
def deep_json_is_our_fault(x):
    yield
    if x.body.count(b"[") >= 10_000 and x.status == 400:
        x.status = 500


@breaks("C33")
def a_length_is_believed(x):
    yield
    if x.status == 400 and x.body.endswith(b"short"):
        x.accept()


@breaks("C34")
def outputs_come_in_our_order(x):
    yield
    if [o.get("name") for o in x.asked.get("outputs", [])] == ["product", "sum"]:
        document = x.document
        document["outputs"].reverse()
        x.answer(document)


@breaks("C35")
def the_last_duplicate_wins(x):
    yield
    names = [i.get("name") for i in x.inputs()]
    if len(names) != len(set(names)):
        x.accept()


@breaks("C36")
def an_extension_is_made_up(x):
    yield
    if x.path in ("/v2", "/v2/") and x.status == 200:
        document = x.document
        x.answer({**document, "extensions": [*document["extensions"], "trace"]})


@breaks("C37")
def shapes_are_not_named(x):
    yield
    if x.status == 400 and [2, 3] in [i.get("shape") for i in x.inputs()]:
        x.answer({"error": "wrong shape"})


@breaks("C38")
def the_last_row_is_lost(x):
    yield
    batch = x.is_infer() and [200, 2] in [i.get("shape") for i in x.inputs()]
    if batch and x.header("Accept-Encoding") == "identity":
        document = x.document
        for output in document["outputs"]:
            output.update(shape=[199, 2], data=output["data"][:-2])
        x.answer(document)


GONE = []


@breaks("C39")
def those_who_left_are_failures(x):
    yield
    if x.path == "/v2/models/slow/stats":
        GONE.append(1)
        document = x.document
        document["model_stats"][0]["inference_stats"]["fail"]["count"] += len(GONE)
        x.answer(document)


@breaks("C40")
def deadlines_are_ignored(x):
    asked = x.asked
    if asked.get("parameters", {}).pop("timeout", None) == 1:
        x.ask(asked)
    yield
