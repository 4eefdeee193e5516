"""C39 and C40 over REST: clients that go away, and more work than there is time for."""
import json
import time

from v2.verdicts import rest

GONE = 12


def post_and_leave(server, model):
    """Sends a whole request and closes the socket without reading."""
    body = json.dumps(model.json_request()).encode()
    path = server.prefix + server.model_path(model) + "/infer"
    with server.socket() as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {server.address}\r\nContent-Type: application/json"
            f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def failures(target, model):
    if "statistics" not in target.extensions():
        return 0
    stats = target.rest.get(target.rest.model_path(model) + "/stats").ok()["model_stats"][-1]
    return stats["inference_stats"]["fail"]["count"]


@rest("C39", "a client that goes away frees its place")
def test_clients_that_close_their_socket(target, server):
    model = target.reference("slow")
    before = failures(target, model)
    for _ in range(GONE):
        post_and_leave(server, model)
    # Were the places of those who left not free again, this one would be refused for good.
    patience = time.monotonic() + 5
    answer = server.infer(model, model.json_request())
    while answer.status == 503 and time.monotonic() < patience:
        time.sleep(0.1)
        answer = server.infer(model, model.json_request())
    answer.ok()
    after = failures(target, model)
    assert after == before, f"{after - before} of {GONE} that left count as failures of the model"


@rest("C40", "a deadline that cannot be met is refused")
def test_a_deadline_that_cannot_be_met(target, server):
    model = target.reference("slow")
    answer = server.infer(model, model.json_request(parameters={"timeout": 1}))
    answer.refused((429, 503, 504))
    server.infer(model, model.json_request()).ok()
