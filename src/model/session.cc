#include "model/session.h"

#include <array>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <utility>

#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "model/forest_session.h"
#include "model/isolated_session.h"
#include "model/onnx_session.h"
#include "model/remote_session.h"
#include "model/sidecar.h"

namespace weir::model {
namespace {

constexpr std::string_view formats =
    "Weir loads ONNX (*.onnx), XGBoost (*.ubj, *.json), LightGBM's text (*.txt) and addresses of "
    "other servers (*.remote)";

// A session under the names and the meaning that a sidecar gives it.
class DescribedSession final : public Session {
 public:
  DescribedSession(std::unique_ptr<Session> session, Signature signature)
      : session_(std::move(session)), signature_(std::move(signature)) {}

  const Signature& signature() const override { return signature_; }
  Progress infer(Inference& inference) override { return session_->infer(inference); }
  bool is_inline() const override { return session_->is_inline(); }
  bool runs_on_caller() const override { return session_->runs_on_caller(); }
  std::size_t memory_bytes() const override { return session_->memory_bytes(); }

 private:
  std::unique_ptr<Session> session_;
  Signature signature_;
};

// An inference that can be waited for.
class WaitedInference final : public Inference {
 public:
  void complete() override {
    const std::lock_guard lock(mutex_);
    is_complete_ = true;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_complete_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_complete_ = false;
};

// A model may refuse made-up input, which is no fault of the model.
void warm_up(Session& session) {
  WaitedInference inference;
  make_up_row(session.signature(), inference.inputs);
  if (session.infer(inference) == Progress::pending) inference.wait();
  if (!inference.status) {
    LOG(debug, "the model does not take made-up input: {}", inference.status.error().message);
  }
}

struct KnownFormat {
  std::string_view begin;
  std::string_view advice;
};

// What people try, and what they have to do instead.
constexpr std::array<KnownFormat, 8> other_formats = {{
    {"\x80\x02",
     "a Python pickle: export the model to ONNX, or XGBoost's with save_model('m.ubj')"},
    {"\x80\x03",
     "a Python pickle: export the model to ONNX, or XGBoost's with save_model('m.ubj')"},
    {"\x80\x04",
     "a Python pickle: export the model to ONNX, or XGBoost's with save_model('m.ubj')"},
    {"\x80\x05",
     "a Python pickle: export the model to ONNX, or XGBoost's with save_model('m.ubj')"},
    {"PK\x03\x04", "a ZIP archive, as PyTorch and Keras write them: export the model to ONNX"},
    {"\x89HDF", "an HDF5 file, as Keras writes them: export the model to ONNX (tf2onnx)"},
    {"binf",
     "XGBoost's old binary format: load it in XGBoost and save it with save_model('m.ubj')"},
    {"GGUF", "a GGUF file of a language model: serve it with its own server"},
}};

// The first bytes of the file; enough to tell the formats apart.
std::string read_begin(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4096> begin{};
  file.read(begin.data(), begin.size());
  return {begin.data(), static_cast<std::size_t>(file.gcount())};
}

Result<void> check_file(const std::string& path, const SessionOptions& options) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return tl::unexpected(system_error("load", path));
  if (!S_ISREG(status.st_mode)) {
    return fail(Code::invalid_argument, "cannot load '{}': it is not a file. {}", path, formats);
  }
  if (status.st_size == 0) {
    return fail(Code::invalid_argument, "cannot load '{}': it is empty. {}", path, formats);
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > options.max_artifact_bytes) {
    return fail(
        Code::exhausted,
        "cannot load '{}': it has {} bytes, and max_artifact_bytes allows {}",
        path,
        size,
        options.max_artifact_bytes
    );
  }
  return {};
}

// ONNX is a protobuf message whose first field is the version, the producer or the graph.
bool looks_like_onnx(std::string_view begin) {
  return begin.starts_with('\x08') || begin.starts_with('\x12') || begin.starts_with('\x3a');
}
// ONNX Runtime's own format has its name behind an offset of four bytes.
bool looks_like_ort(std::string_view begin) {
  return begin.substr(0, 8).ends_with("ORTM");
}

Result<std::unique_ptr<Session>> load_by_format(
    const std::string& path, const SessionOptions& options
) {
  const std::string extension = std::filesystem::path(path).extension().string();
  const std::string begin = read_begin(path);
  for (const KnownFormat& known : other_formats) {
    if (!begin.starts_with(known.begin)) continue;
    return fail(
        Code::invalid_argument, "cannot load '{}': it is {}. {}", path, known.advice, formats
    );
  }
  if (extension == ".remote") return load_remote(begin, path, options);
  const bool is_tree_name = extension == ".ubj" || extension == ".json" || extension == ".txt";
  if (looks_like_forest(begin) || is_tree_name) {
    const std::string bytes = TRY(system_files().read(path));
    return load_forest(bytes, path, options);
  }
  if (extension == ".onnx" || extension == ".ort" || looks_like_onnx(begin) ||
      looks_like_ort(begin)) {
    return load_onnx(path, options);
  }
  return fail(
      Code::invalid_argument,
      "cannot load '{}': its content is no model format known. {}",
      path,
      formats
  );
}

}  // namespace

void make_up_row(const Signature& signature, std::vector<tensor::Tensor>& inputs) {
  inputs.clear();
  for (const TensorSpec& input : signature.inputs) {
    tensor::Shape shape = input.shape;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == -1) shape.set(axis, 1);
    }
    tensor::Tensor& tensor = inputs.emplace_back();
    tensor.reset(input.datatype, shape);
    if (input.datatype != tensor::DataType::bytes) continue;
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.add_string({});
  }
}

Result<std::unique_ptr<Session>> load_session(
    const std::string& path, const SessionOptions& options
) {
  TRY(check_file(path, options));
  const std::string sidecar = TRY(read_sidecar(path));
  if (TRY(wants_own_process(sidecar, path + ".yaml"))) return load_isolated(path, options);
  return load_session_here(path, options);
}

Result<std::unique_ptr<Session>> load_session_here(
    const std::string& path, const SessionOptions& options
) {
  TRY(check_file(path, options));
  const std::string sidecar = TRY(read_sidecar(path));
  SessionOptions chosen = options;
  chosen.use_cuda = TRY(wants_cuda(sidecar, path + ".yaml"));
  auto session = TRY(load_by_format(path, chosen));
  if (chosen.use_cuda && session->signature().platform != "onnx_onnxv1") {
    return fail(
        Code::invalid_argument,
        "the sidecar of '{}' asks for device: cuda, and only ONNX models can have that; take the "
        "line out",
        path
    );
  }
  if (!sidecar.empty()) {
    Signature signature = session->signature();
    TRY(apply_sidecar(sidecar, path + ".yaml", signature));
    session = std::make_unique<DescribedSession>(std::move(session), std::move(signature));
  }
  // A made-up request would stand in the records of another server.
  if (session->signature().platform != "remote_v2") warm_up(*session);
  return session;
}

}  // namespace weir::model
