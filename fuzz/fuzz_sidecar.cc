// Sidecars of models. One that is refused changes nothing; one that is accepted leaves a signature
// in which every role and feature points at something.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/sidecar.h"
#include "model/signature.h"

namespace {

using weir::model::Signature;
using weir::tensor::DataType;

Signature make_signature() {
  Signature signature;
  signature.inputs = {{"x", DataType::fp32, {-1, -1}}, {"city", DataType::bytes, {-1, 1}}};
  signature.outputs = {
      {"label", DataType::int64, {-1}},
      {"out", DataType::fp32, {-1, 2}},
      {"y", DataType::fp32, {}}};
  weir::model::derive_meaning(signature);
  return signature;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  Signature signature = make_signature();
  const auto sidecar = weir::model::apply_sidecar(yaml, "fuzz.yaml", signature);
  const auto isolation = weir::model::wants_own_process(yaml, "fuzz.yaml");
  if (!sidecar) {
    CHECK(signature.outputs[1].name == "out", "an error changes nothing");
    return 0;
  }
  CHECK(isolation && *isolation == sidecar->isolation_process, "both readers agree");
  for (const auto& role : {signature.score, signature.predicted}) {
    CHECK(!role || role->output < signature.outputs.size(), "a role points at an output");
  }
  for (const auto& feature : signature.features) {
    CHECK(feature.input < signature.inputs.size(), "a feature points at an input");
    CHECK(!feature.name.empty(), "a feature has a name");
  }
  return 0;
}
