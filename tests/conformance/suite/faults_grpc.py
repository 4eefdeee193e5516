"""One fault per point over gRPC. Each is as small as a server's bug would be."""
import grpc

Code = grpc.StatusCode
BAD = Code.INVALID_ARGUMENT
FAULTS = {}


def breaks(point):
    def keep(fault):
        FAULTS[point] = fault
        return fault
    return keep


@breaks("C1")
def outputs_are_typed_too(x):
    yield
    if x.is_infer() and x.succeeded():
        for output in x.response.outputs:
            output.contents.int_contents.append(1)


@breaks("C7")
def there_is_no_health_service(x):
    yield
    if "grpc.health.v1" in x.method:
        x.refuse(Code.UNIMPLEMENTED)


@breaks("C8")
def the_name_of_the_model_is_another(x):
    yield
    if x.is_infer() and x.request.model_name == "two_inputs" and x.succeeded():
        x.response.model_name = "two inputs"


@breaks("C9")
def a_priority_is_signed(x):
    yield
    if any(p.WhichOneof("parameter_choice") == "uint64_param" for p in x.parameters().values()):
        x.refuse(BAD)


@breaks("C10")
def files_cannot_be_loaded(x):
    yield
    if x.method == "RepositoryModelLoad" and "file:1/model.onnx" in x.request.parameters:
        x.refuse(Code.UNIMPLEMENTED)


@breaks("C11")
def messages_end_at_four_mebibytes(x):
    yield
    if x.is_infer() and x.request.ByteSize() > 4 << 20:
        x.refuse(Code.RESOURCE_EXHAUSTED)


@breaks("C12")
def texts_end_at_a_zero_byte(x):
    yield
    if x.is_infer() and x.succeeded():
        for i, raw in enumerate(x.response.raw_output_contents):
            x.response.raw_output_contents[i] = raw.replace(b"a\0b", b"a  ")


@breaks("C13")
def an_error_ends_the_stream(x):
    yield
    if x.method == "ModelStreamInfer" and x.response.error_message:
        x.refuse(Code.INTERNAL)


@breaks("C14")
def no_rows_are_an_error(x):
    yield
    if [0, 2] in x.shapes():
        x.refuse(BAD)


@breaks("C15")
def an_id_of_our_own(x):
    yield
    if x.is_infer() and x.request.id == "mine":
        x.response.id = "ours"


@breaks("C20")
def an_overflow_is_not_seen(x):
    yield
    if [2**62, 2**62] in x.shapes():
        x.accept()


@breaks("C21")
def counts_are_not_named(x):
    yield
    if any(len(i.contents.fp32_contents) == 5 for i in x.inputs()):
        x.details = "bad input"


@breaks("C22")
def unknown_triton_parameters_are_ignored(x):
    if "triton_unknown" in x.parameters():
        del x.request.parameters["triton_unknown"]
    yield


@breaks("C27")
def an_unknown_version_is_a_bad_argument(x):
    yield
    if x.is_infer() and x.request.model_version == "987654":
        x.code = BAD


@breaks("C28")
def load_wants_parameters(x):
    yield
    if x.method == "RepositoryModelLoad" and not x.request.parameters:
        x.refuse(BAD)


@breaks("C29")
def times_are_in_microseconds(x):
    yield
    if x.method == "ModelStatistics":
        for model in x.response.model_stats:
            model.inference_stats.success.ns //= 1000


@breaks("C30")
def raw_contents_win_over_typed_ones(x):
    yield
    if x.is_infer() and x.request.raw_input_contents and any(
            i.HasField("contents") for i in x.inputs()):
        x.accept()


@breaks("C33")
def a_length_is_believed(x):
    yield
    if x.is_infer() and any(r.endswith(b"short") for r in x.request.raw_input_contents):
        x.accept()


@breaks("C34")
def outputs_come_in_our_order(x):
    if x.is_infer() and [o.name for o in x.request.outputs] == ["product", "sum"]:
        x.request.outputs.reverse()
    yield


@breaks("C35")
def the_last_duplicate_wins(x):
    yield
    names = [i.name for i in x.inputs()]
    if len(names) != len(set(names)):
        x.accept()


@breaks("C36")
def an_extension_is_made_up(x):
    yield
    if x.method == "ServerMetadata":
        x.response.extensions.append("trace")


@breaks("C37")
def fixed_dimensions_are_not_looked_at(x):
    yield
    if x.shapes() == [[2, 3], [2, 3]]:
        x.accept()


@breaks("C38")
def the_last_row_is_lost(x):
    yield
    if [200, 2] in x.shapes():
        for i, output in enumerate(x.response.outputs):
            output.shape[0] = 199
            x.response.raw_output_contents[i] = x.response.raw_output_contents[i][:-8]


GONE = []


@breaks("C39")
def those_who_cancelled_are_failures(x):
    yield
    if x.method == "ModelStatistics" and x.request.name == "slow":
        GONE.append(1)
        x.response.model_stats[0].inference_stats.fail.count += len(GONE)


@breaks("C40")
def deadlines_are_ignored(x):
    if "timeout" in x.parameters() and x.parameters()["timeout"].int64_param == 1:
        del x.request.parameters["timeout"]
    yield
