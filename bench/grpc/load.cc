// Callers of ModelInfer in a closed loop: each sends its next request when it has its answer.
//   grpc_load HOST:PORT MODEL CALLERS CONNECTIONS SECONDS
// Prints calls a second and the latencies at 50 and 99 % in microseconds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <grpc_service.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace {

using Clock = std::chrono::steady_clock;

grpc::ByteBuffer make_request(const std::string& model) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(8);
  const float row[8] = {0.5F, 2, 0.4F, 0.05F, 0.4F, 0.003F, 0.4F, 0.4F};
  request.add_raw_input_contents(row, sizeof(row));
  const grpc::Slice slice(request.SerializeAsString());
  return {&slice, 1};
}

class Caller {
 public:
  Caller(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue& queue)
      : stub_(channel), queue_(queue) {}

  void call(const grpc::ByteBuffer& request) {
    context_ = std::make_unique<grpc::ClientContext>();
    begin_ = Clock::now();
    reader_ = stub_.PrepareUnaryCall(
        context_.get(), "/inference.GRPCInferenceService/ModelInfer", request, &queue_
    );
    reader_->StartCall();
    reader_->Finish(&response_, &status_, this);
  }
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin_).count();
  }
  const grpc::Status& status() const { return status_; }

 private:
  grpc::GenericStub stub_;
  grpc::CompletionQueue& queue_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  Clock::time_point begin_;
};

double at(std::vector<double>& values, double share) {
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(
      values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end()
  );
  return values[index];
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  const grpc::ByteBuffer request = make_request(arguments[2]);
  const int callers = std::atoi(arguments[3]);
  const int connections = std::atoi(arguments[4]);
  const double seconds = std::atof(arguments[5]);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < connections; ++i) {
    grpc::ChannelArguments options;
    options.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channels.push_back(
        grpc::CreateCustomChannel(arguments[1], grpc::InsecureChannelCredentials(), options)
    );
  }
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Caller>> all;
  for (int i = 0; i < callers; ++i) {
    const auto& channel = channels[static_cast<std::size_t>(i % connections)];
    all.push_back(std::make_unique<Caller>(channel, queue));
    all.back()->call(request);
  }
  std::vector<double> latencies;
  const auto begin = Clock::now();
  const auto warm =
      begin +
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds / 4));
  const auto end =
      begin +
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds * 1.25));
  int open = callers;
  void* tag = nullptr;
  bool ok = false;
  while (open > 0 && queue.Next(&tag, &ok)) {
    Caller& caller = *static_cast<Caller*>(tag);
    if (!caller.status().ok()) {
      std::fprintf(stderr, "%s\n", caller.status().error_message().c_str());
      return 1;
    }
    const auto now = Clock::now();
    if (now >= warm && now < end) latencies.push_back(caller.microseconds());
    if (now < end) {
      caller.call(request);
    } else {
      --open;
    }
  }
  std::printf(
      "%.0f %.0f %.0f\n",
      static_cast<double>(latencies.size()) / seconds,
      at(latencies, 0.5),
      at(latencies, 0.99)
  );
}
