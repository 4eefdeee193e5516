"""The server under test: raw requests over REST, and the models it has."""
import http.client
import json
import socket
import ssl
import urllib.parse

from v2 import tensors
from v2.models import REFERENCE, Model
from v2.verdicts import PATIENCE_S, NotApplicable


# The suite loads models under this name. An earlier run may have left one.
FRESH = "conformance_fresh"


class Answer:
    """The answer to one HTTP request. Nothing about it is taken for granted."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def document(self):
        """The JSON of the answer, also when binary tensors follow it."""
        length = self.headers.get("Inference-Header-Content-Length")
        head = self.body[:int(length)] if length else self.body
        try:
            return json.loads(head)
        except ValueError:
            raise AssertionError(f"{self.status} with a body that is no JSON: {self.body[:60]!r}")

    def ok(self):
        """The JSON of an answer that has to be a success: 200, and no other status."""
        assert self.status == 200, f"{self.status} for a good request: {self.body[:100]!r}"
        return self.document()

    def outputs(self):
        """All outputs as arrays, by name and in the order of the answer."""
        document = self.ok()
        at = int(self.headers.get("Inference-Header-Content-Length") or len(self.body))
        result = {}
        for output in document["outputs"]:
            name, datatype, shape = output["name"], output["datatype"], output["shape"]
            size = output.get("parameters", {}).get("binary_data_size")
            if size is None:
                result[name] = tensors.from_json(datatype, shape, output["data"])
            else:
                raw = self.body[at:at + size]
                assert len(raw) == size, f"'{name}' says {size} bytes, {len(raw)} follow"
                result[name], at = tensors.from_bytes(datatype, shape, raw), at + size
        assert at == len(self.body), f"{len(self.body) - at} bytes after the last tensor"
        return result

    def is_binary(self):
        return "Inference-Header-Content-Length" in self.headers

    def refused(self, status, *mentions):
        """An error of this status whose text mentions all of these."""
        wanted = status if isinstance(status, tuple) else (status,)
        assert self.status in wanted, \
            f"{self.status}, not {' or '.join(map(str, wanted))}: {self.body[:70]!r}"
        document = self.document()
        error = document.get("error") if isinstance(document, dict) else None
        assert isinstance(error, str) and error, \
            f"{self.status} without 'error': {self.body[:70]!r}"
        for mention in mentions:
            assert str(mention) in error, f"the error does not say '{mention}': {error[:90]}"
        return error


class Rest:
    """The V2 REST interface at a base address."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url if "//" in url else f"http://{url}")
        self.tls, self.prefix = parts.scheme == "https", parts.path.rstrip("/")
        self.host, self.port = parts.hostname, parts.port or (443 if self.tls else 80)

    @property
    def address(self):
        return f"{self.host}:{self.port}{self.prefix}"

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def connect(self):
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        return kind(self.host, self.port, timeout=PATIENCE_S)

    def socket(self):
        plain = socket.create_connection((self.host, self.port), timeout=PATIENCE_S)
        return ssl.create_default_context().wrap_socket(
            plain, server_hostname=self.host) if self.tls else plain

    def request(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or self.connect()
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self.prefix + path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (http.client.HTTPException, ConnectionError) as error:
            raise AssertionError(f"{method} {path}: no answer ({type(error).__name__}: {error})")
        finally:
            if own:
                connection.close()

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None, **kwargs):
        return self.request("POST", path, body, **kwargs)

    def infer(self, model, body, version=None, **kwargs):
        name = urllib.parse.quote(getattr(model, "name", model))
        pinned = f"/versions/{version}" if version else ""
        return self.post(f"/v2/models/{name}{pinned}/infer", body, **kwargs)

    def model_path(self, model):
        return "/v2/models/" + urllib.parse.quote(model.name)


class Target:
    """The server, and which of its models serve for what."""

    def __init__(self, url, grpc_address=None, names=()):
        self.rest = Rest(url)
        self.grpc_address = grpc_address
        self.chosen = list(names)
        self._models = None

    def extensions(self):
        return self.rest.get("/v2").ok().get("extensions", [])

    def needs_extension(self, name):
        if name not in self.extensions():
            raise NotApplicable(f"the server does not list the extension {name}")

    def has_binary_tensors(self):
        return "binary_tensor_data" in self.extensions()

    def models(self):
        if self._models is None:
            self._models = [m for m in map(self.ask, self._names()) if m]
        return self._models

    def _names(self):
        if self.chosen:
            return self.chosen
        for body in (None, {}):
            try:
                index = self.rest.post("/v2/repository/index", body).ok()
                return [e["name"] for e in index if e.get("state", "READY") == "READY"
                        and not e["name"].startswith(FRESH)]
            except (AssertionError, KeyError, TypeError):
                pass  # Without an index the models may still be there.
        return list(REFERENCE)

    def ask(self, name):
        answer = self.rest.get("/v2/models/" + urllib.parse.quote(name))
        try:
            return Model(name, answer.document()) if answer.status == 200 else None
        except (AssertionError, KeyError, TypeError):
            return None

    def reference(self, file):
        """The model with the signature of this file."""
        found = [m for m in self.models() if m.file == file and "/" not in m.name]
        if not found:
            raise NotApplicable(f"no model with the signature of {file}.onnx")
        return found[0]

    def any_model(self):
        """The model that points are tried with which need no particular one."""
        known = [m for m in self.models() if m.file == "two_inputs" and "/" not in m.name]
        for model in [*known, *self.models()]:
            if model.is_plain():
                return model
        names = ", ".join(f"'{n}'" for n in self._names()[:5])
        raise NotApplicable(f"no model takes numbers as JSON (looked at: {names or 'none'})")

    def expected(self, model, arrays):
        """What the model answers: by its known function, else by its answer to plain JSON."""
        if model.function:
            return model.function(arrays)
        return self.rest.infer(model, model.json_request(arrays)).outputs()


def check_outputs(outputs, expected, names=None):
    """All of the expected outputs, with their values."""
    for name in names or expected:
        assert name in outputs, f"output '{name}' is missing"
        got, wanted = outputs[name], expected[name]
        assert tensors.same(got, wanted), \
            f"output '{name}' is {got.tolist()!r:.40}, not {wanted.tolist()!r:.40}"
