#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/session.h"
#include "model/signature.h"

// The client's half of the V2 protocol, as a remote session speaks it. Pure; thread-safe.

namespace weir::model {

// GET /v2: whether binary tensors are understood.
Result<bool> decode_server_extensions(std::string_view body);

// GET /v2/models/M: the inputs and outputs; nothing of their meaning.
Result<Signature> decode_remote_metadata(std::string_view body);

// The message of {"error": message}; of anything else the beginning.
std::string decode_remote_error(std::string_view body);

struct RemoteForm {
  bool binary = false;  // Tensors follow the JSON as bytes, both ways.
};

// Whether the signature can be carried in that form: JSON has no FP16 and BF16.
Result<void> check_remote_form(const Signature& signature, const RemoteForm& form);

// Replaces `body` with the request and returns how many bytes of it are JSON. An invalid_argument
// when the form cannot carry an input: BYTES that are not UTF-8 have no JSON.
Result<std::size_t> encode_remote_request(
    const Signature& signature,
    const std::vector<tensor::Tensor>& inputs,
    const RemoteForm& form,
    std::string& body
);

// Fills `outputs`, in the order of the signature, from an answer of which `json_bytes` are JSON
// (nothing: all). An answer that is not V2, lacks an output or gives one of another datatype or
// shape is an internal error that names it.
Result<void> decode_remote_answer(
    std::string_view body,
    std::optional<std::size_t> json_bytes,
    const Signature& signature,
    std::vector<tensor::Tensor>& outputs
);

}  // namespace weir::model
