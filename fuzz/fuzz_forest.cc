#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "model/forest_session.h"

// A file that says it is a tree model: it loads or is refused with a reason, and one that loads
// answers.

namespace {

class Synchronous final : public weir::model::Inference {
 public:
  void complete() override {}
};

void infer(weir::model::Session& session) {
  const std::int64_t width = session.signature().inputs[0].shape[1];
  if (width > 4096) return;  // Slow, not wrong.
  constexpr std::int64_t rows = 9;
  Synchronous inference;
  inference.inputs.resize(1);
  inference.inputs[0].reset(weir::tensor::DataType::fp32, {rows, width});
  constexpr float odd_values[] = {
      0.0F,
      -0.5F,
      3.0F,
      std::numeric_limits<float>::quiet_NaN(),
      1e-36F,
      std::numeric_limits<float>::infinity(),
      -std::numeric_limits<float>::infinity()};
  std::size_t turn = 0;
  for (float& value : inference.inputs[0].values<float>()) value = odd_values[turn++ % 7];
  if (session.infer(inference) != weir::model::Progress::done) __builtin_trap();
  if (!inference.status) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::model::SessionOptions options;
  options.max_forest_nodes = 10'000;
  const auto session = weir::model::load_forest(
      std::string_view(reinterpret_cast<const char*>(data), size), "fuzz", options
  );
  if (session) {
    infer(**session);
  } else if (session.error().message.empty()) {
    __builtin_trap();
  }
  return 0;
}
