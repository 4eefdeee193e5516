"""C39 and C40 over gRPC: clients that cancel, and more work than there is time for."""
import time

import grpc
from tritonclient.grpc import service_pb2 as pb

from v2.grpc_calls import request
from v2.verdicts import PATIENCE_S
from v2.verdicts import grpc as point

Code = grpc.StatusCode
GONE = 12
REFUSALS = (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)


def failures(target, calls, model):
    if "statistics" not in target.extensions():
        return 0
    stats = calls.call("ModelStatistics", pb.ModelStatisticsRequest(name=model.name)).model_stats
    return stats[-1].inference_stats.fail.count


@point("C39", "a call that is cancelled frees its place")
def test_calls_that_are_cancelled(target, calls):
    model = target.reference("slow")
    before = failures(target, calls, model)
    waiting = [calls.stub.ModelInfer.future(request(model), timeout=PATIENCE_S)
               for _ in range(GONE)]
    for call in waiting:
        call.cancel()
    assert all(c.code() == Code.CANCELLED for c in waiting if c.cancelled())
    # Were the places of those who left not free again, this one would be refused for good.
    patience = time.monotonic() + 5
    while True:
        try:
            calls.stub.ModelInfer(request(model), timeout=PATIENCE_S)
            break
        except grpc.RpcError as error:
            if error.code() not in REFUSALS or time.monotonic() > patience:
                raise
            time.sleep(0.1)
    after = failures(target, calls, model)
    assert after == before, f"{after - before} of {GONE} cancelled count as failures of the model"


@point("C40", "a deadline that cannot be met is refused")
def test_calls_that_cannot_meet_their_deadline(target, calls):
    model = target.reference("slow")
    calls.refused("ModelInfer", request(model, parameters={"timeout": 1}), REFUSALS)
    calls.infer(request(model))
