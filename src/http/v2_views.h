#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "protocol/v2_documents.h"
#include "serve/routes.h"

// What the V2 surface shows besides predictions, as JSON text.

namespace weir::http {

std::string server_metadata();

// `operation` is "", "ready", "config" or "stats". Without a version: the primary one, and for
// stats all loaded ones. Unknown names and versions are not_found; ready of an unready one is
// unavailable.
Result<std::string> model_document(
    const serve::Routes& routes,
    std::string_view name,
    std::string_view version,
    std::string_view operation
);

// Of every loaded version of every endpoint.
std::string all_statistics(const serve::Routes& routes);

std::string repository_index(const std::vector<control::EndpointView>& endpoints, bool ready_only);

// A load that brings the model's files along: `file:1/model.onnx`. It is deployed at once, the old
// version stays warm.
Result<void> load_files(
    control::Controller& controller,
    const std::string& name,
    const protocol::RepositoryRequest& request
);

}  // namespace weir::http
