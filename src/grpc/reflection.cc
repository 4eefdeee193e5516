#include <array>
#include <set>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpc_service.pb.h>
#include <health.pb.h>
#include <reflection_v1.pb.h>
#include <reflection_v1alpha.pb.h>

#include "grpc/prediction.h"
#include "grpc/stream.h"

// Reflection, v1 and v1alpha, whose messages are the same bytes: tools such as grpcurl find out
// from the server what it can be asked.

namespace weir::grpc {
namespace {

namespace reflection = ::grpc::reflection::v1;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

constexpr std::array<const char*, 4> services = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "inference.GRPCInferenceService"};

// The descriptors of generated classes are registered when their file is linked in and used.
const DescriptorPool& pool() {
  static const DescriptorPool& generated = []() -> const DescriptorPool& {
    inference::ModelInferRequest::descriptor();
    ::grpc::health::v1::HealthCheckRequest::descriptor();
    ::grpc::reflection::v1alpha::ServerReflectionRequest::descriptor();
    reflection::ServerReflectionRequest::descriptor();
    return *DescriptorPool::generated_pool();
  }();
  return generated;
}

void add_file(
    const FileDescriptor& file,
    std::set<const FileDescriptor*>& seen,
    reflection::FileDescriptorResponse& response
) {
  if (!seen.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) add_file(*file.dependency(i), seen, response);
}

void answer_with_file(
    const FileDescriptor* file,
    const std::string& wanted,
    reflection::ServerReflectionResponse& response
) {
  if (file == nullptr) {
    reflection::ErrorResponse& error = *response.mutable_error_response();
    error.set_error_code(::grpc::StatusCode::NOT_FOUND);
    error.set_error_message("there is no '" + wanted + "' here");
    return;
  }
  std::set<const FileDescriptor*> seen;
  add_file(*file, seen, *response.mutable_file_descriptor_response());
}

void answer(
    const reflection::ServerReflectionRequest& request,
    reflection::ServerReflectionResponse& response
) {
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  using Request = reflection::ServerReflectionRequest;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const char* const service : services) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      return;
    case Request::kFileByFilename:
      answer_with_file(
          pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), response
      );
      return;
    case Request::kFileContainingSymbol:
      answer_with_file(
          pool().FindFileContainingSymbol(request.file_containing_symbol()),
          request.file_containing_symbol(),
          response
      );
      return;
    case Request::kAllExtensionNumbersOfType:
      response.mutable_all_extension_numbers_response()->set_base_type_name(
          request.all_extension_numbers_of_type()
      );
      return;
    default:
      answer_with_file(nullptr, "extension", response);
  }
}

class Reflection final : public Conversation {
 public:
  explicit Reflection(Stream& stream) : stream_(stream) {}

  void on_message(::grpc::ByteBuffer& message) override {
    const ::grpc::Slice bytes = to_slice(message);
    reflection::ServerReflectionRequest request;
    if (!request.ParseFromArray(bytes.begin(), static_cast<int>(bytes.size()))) {
      stream_.finish(
          {::grpc::StatusCode::INVALID_ARGUMENT,
           "the request is not a readable ServerReflectionRequest message"}
      );
      return;
    }
    reflection::ServerReflectionResponse response;
    answer(request, response);
    ::grpc::Slice slice(response.SerializeAsString());
    stream_.write(::grpc::ByteBuffer(&slice, 1));
  }

 private:
  Stream& stream_;
};

}  // namespace

std::unique_ptr<Conversation> make_reflection(Stream& stream) {
  return std::make_unique<Reflection>(stream);
}

}  // namespace weir::grpc
