// A bare gRPC server that answers the messages of one prediction without predicting anything: what
// Weir is measured against. One thread with its own completion queue, classes made by protoc.
//   grpc_echo PORT

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <grpc_service.grpc.pb.h>
#include <grpcpp/grpcpp.h>

namespace {

using Service = inference::GRPCInferenceService::AsyncService;

// An answer of the size that the electricity model gives.
void answer(const inference::ModelInferRequest& request, inference::ModelInferResponse& response) {
  response.set_model_name(request.model_name());
  response.set_model_version("1");
  response.set_id("019ab7a3-3d5c-7c41-a5b2-6f1f2d3c4b5a");
  auto& parameters = *response.mutable_parameters();
  parameters["weir_version"].set_string_param("1");
  parameters["weir_arm"].set_string_param("primary");
  parameters["weir_decision"].set_string_param("answered");
  auto& label = *response.add_outputs();
  label.set_name("label");
  label.set_datatype("INT64");
  label.add_shape(1);
  auto& probabilities = *response.add_outputs();
  probabilities.set_name("probabilities");
  probabilities.set_datatype("FP32");
  probabilities.add_shape(1);
  probabilities.add_shape(2);
  response.add_raw_output_contents(std::string(8, '\0'));
  response.add_raw_output_contents(request.raw_input_contents(0).substr(0, 8));
}

class Call {
 public:
  Call(Service& service, grpc::ServerCompletionQueue& queue) : service_(service), queue_(queue) {
    service_.RequestModelInfer(&context_, &request_, &writer_, &queue_, &queue_, this);
  }
  void proceed(bool ok) {
    if (is_answered_ || !ok) {
      delete this;
      return;
    }
    new Call(service_, queue_);
    inference::ModelInferResponse response;
    answer(request_, response);
    is_answered_ = true;
    writer_.Finish(response, grpc::Status::OK, this);
  }

 private:
  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  inference::ModelInferRequest request_;
  grpc::ServerAsyncResponseWriter<inference::ModelInferResponse> writer_{&context_};
  bool is_answered_ = false;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::string address = std::string("127.0.0.1:") + arguments[1];
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  for (int i = 0; i < 16; ++i) new Call(service, *queue);
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->proceed(ok);
}
