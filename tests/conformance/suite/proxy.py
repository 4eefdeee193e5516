"""A server that is wrong on purpose: it passes everything on to a right one, and a fault changes a
request on its way in or an answer on its way out (faults_rest.py, faults_grpc.py).

A fault is a generator that gets the exchange: what stands before its `yield` happens before the
right server is asked, what stands after it happens to the answer.
"""
import concurrent.futures
import http.client
import http.server
import json
import sys
import threading

import grpc
from google.protobuf import message_factory
from tritonclient.grpc import service_pb2 as pb

LENGTH = "Inference-Header-Content-Length"


def passed_through(faults, exchange, forward):
    """Runs the halves of all faults around the call."""
    running = [fault(exchange) for fault in faults]
    for half in running:
        next(half)
    forward()
    for half in running:
        next(half, None)


class RestExchange:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.status, self.answer_headers, self.answer_body = None, None, None
        self.chunked = False

    def is_infer(self):
        return self.method == "POST" and self.path.endswith("/infer")

    def header(self, name):
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), None)

    @property
    def asked(self):
        """The JSON of the request; empty when it has none that can be read."""
        try:
            document = json.loads(self.body[:int(self.header(LENGTH) or len(self.body))])
            return document if isinstance(document, dict) else {}
        except (ValueError, RecursionError):
            return {}

    def ask(self, document):
        """Puts another JSON into the request."""
        tail = self.body[int(self.header(LENGTH)):] if self.header(LENGTH) else b""
        head = json.dumps(document).encode()
        if self.header(LENGTH):
            self.headers = {k: v for k, v in self.headers.items() if k.lower() != LENGTH.lower()}
            self.headers[LENGTH] = str(len(head))
        self.body = head + tail

    def inputs(self):
        return self.asked.get("inputs") or [{}]

    @property
    def document(self):
        return json.loads(self.answer_body[:int(self.answer_headers.get(
            LENGTH, len(self.answer_body)))])

    def answer(self, document, status=None):
        """Puts another JSON into the answer."""
        at = self.answer_headers.get(LENGTH)
        tail = self.answer_body[int(at):] if at else b""
        head = json.dumps(document).encode()
        if at:
            self.answer_headers[LENGTH] = str(len(head))
        self.answer_body = head + tail
        self.status = status or self.status

    def accept(self):
        """An answer that takes what was refused."""
        self.answer({"model_name": "m", "outputs": []}, 200)


class RestProxy:
    def __init__(self, host, port, faults):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                exchange = RestExchange(self.command, self.path, dict(self.headers.items()), body)
                passed_through(faults, exchange, lambda: self.forward(exchange))
                self.reply(exchange)

            def forward(self, exchange):
                connection = http.client.HTTPConnection(host, port)
                headers = {k: v for k, v in exchange.headers.items()
                           if k.lower() not in ("host", "content-length", "expect")}
                connection.request(exchange.method, exchange.path, exchange.body or None, headers)
                answer = connection.getresponse()
                exchange.status, exchange.answer_body = answer.status, answer.read()
                exchange.answer_headers = {
                    k: v for k, v in answer.headers.items()
                    if k not in ("Content-Length", "Connection", "Date", "Server")}
                connection.close()

            def reply(self, exchange):
                self.send_response(exchange.status)
                for name, value in exchange.answer_headers.items():
                    self.send_header(name, value)
                body = exchange.answer_body
                if exchange.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
                else:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = pass_on

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                # Clients that leave are part of the tests; all else is worth reading.
                if not isinstance(sys.exc_info()[1], ConnectionError):
                    super().handle_error(*_)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]


class GrpcExchange:
    """One call: `request` and `response` are messages, `code` and `details` say how it ended."""

    def __init__(self, method, request):
        self.method, self.request = method, request
        self.response, self.code, self.details = None, grpc.StatusCode.OK, ""

    def is_infer(self):
        return self.method == "ModelInfer"

    def inputs(self):
        return self.request.inputs if self.is_infer() else []

    def shapes(self):
        return [list(i.shape) for i in self.inputs()]

    def parameters(self):
        return self.request.parameters if self.is_infer() else {}

    def succeeded(self):
        return self.code == grpc.StatusCode.OK

    def refuse(self, code, details="made up"):
        self.code, self.details = code, details

    def accept(self):
        self.code, self.response = grpc.StatusCode.OK, pb.ModelInferResponse(model_name="m")


class GrpcProxy(grpc.GenericRpcHandler):
    def __init__(self, address, faults):
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.faults = faults
        self.channel = grpc.insecure_channel(address, options=unlimited)
        self.server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(32), handlers=[self], options=unlimited)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def stop(self):
        self.server.stop(0).wait()
        self.channel.close()

    def service(self, call):
        name = call.method.rsplit("/", 1)[1]
        method = SERVICE.methods_by_name.get(name) if SERVICE.full_name in call.method else None
        if name == "ModelStreamInfer":
            return grpc.stream_stream_rpc_method_handler(self.stream)
        if method is None:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: self.foreign(call.method, request, context))
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self.unary(call.method, method, request, context))

    def foreign(self, path, request, context):
        """Another service: passed on as it is, unless a fault takes its name."""
        exchange = GrpcExchange(path, request)
        passed_through(self.faults, exchange, lambda: self.forward(exchange, path, bytes, bytes,
                                                                  context))
        return self.finish(exchange, context, bytes)

    def unary(self, path, method, request, context):
        kinds = [message_factory.GetMessageClass(t) for t in (method.input_type,
                                                               method.output_type)]
        exchange = GrpcExchange(method.name, kinds[0].FromString(request))
        passed_through(self.faults, exchange, lambda: self.forward(
            exchange, path, lambda m: m.SerializeToString(), kinds[1].FromString, context))
        return self.finish(exchange, context, lambda m: m.SerializeToString())

    def forward(self, exchange, path, serialize, parse, context):
        call = self.channel.unary_unary(path).future(serialize(exchange.request))
        context.add_callback(call.cancel)
        try:
            exchange.response = parse(call.result())
        except grpc.RpcError as error:
            exchange.refuse(error.code(), error.details())
        except grpc.FutureCancelledError:
            exchange.refuse(grpc.StatusCode.CANCELLED)

    def finish(self, exchange, context, serialize):
        if exchange.code != grpc.StatusCode.OK:
            context.abort(exchange.code, exchange.details or "")
        return serialize(exchange.response)

    def stream(self, requests, context):
        """Faults see the answers of a stream one by one, as exchanges without a request."""
        call = self.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")(
            requests, metadata=[(m.key, m.value) for m in context.invocation_metadata()
                                if m.key == "triton_grpc_error"])
        try:
            for answer in call:
                exchange = GrpcExchange("ModelStreamInfer", None)
                exchange.response = pb.ModelStreamInferResponse.FromString(answer)
                passed_through(self.faults, exchange, lambda: None)
                yield self.finish(exchange, context, lambda m: m.SerializeToString())
        except grpc.RpcError as error:
            context.abort(error.code(), error.details() or "")
