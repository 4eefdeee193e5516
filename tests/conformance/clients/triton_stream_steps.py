"""tritonclient's gRPC stream, as a program: triton_stream_steps.py ADDRESS MODEL

MODEL is two_inputs.onnx under its name there. A process of its own, because this client waits for
ever when a server ends the stream instead of answering in it.
"""
import json
import queue
import sys

import numpy as np
import tritonclient.grpc as triton

REQUESTS, BAD, PATIENCE_S = 20, 7, 10


def inputs(i):
    result = []
    for name, value in (("a", i), ("b", 2)):
        result.append(triton.InferInput(name, [1, 2], "FP32"))
        result[-1].set_data_from_numpy(np.full((1, 2), value, np.float32))
    return result


def check(i, result, error):
    if i == BAD:
        return "" if error else "the bad request got no error"
    if error:
        return str(error)
    if result.get_response().id != str(i):
        return f"the answer has the id {result.get_response().id}"
    product = result.as_numpy("product").tolist()
    return "" if product == [[2 * i, 2 * i]] else f"the product is {product}"


def main(address, model):
    answers = queue.SimpleQueue()
    client = triton.InferenceServerClient(address)
    client.start_stream(lambda result, error: answers.put((result, error)))
    for i in range(REQUESTS):
        client.async_stream_infer(model if i != BAD else "no-such-model", inputs(i),
                                  request_id=str(i))
    for i in range(REQUESTS):
        try:
            detail = check(i, *answers.get(timeout=PATIENCE_S))
        except queue.Empty:
            detail = f"no answer within {PATIENCE_S} s"
        print(json.dumps({"step": f"answer {i}", "ok": not detail, "detail": detail}), flush=True)
        if detail:
            return
    client.stop_stream()
    client.close()
    print(json.dumps({"step": "close", "ok": True, "detail": ""}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
