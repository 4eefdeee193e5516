#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "protocol/v2_documents.h"
#include "serve/routes.h"

// What the V2 surface shows and does besides predictions, the same for every transport. What these
// return borrows from the table or the views that they are given.

namespace weir::control {

protocol::ServerMetadata server_metadata();

// Without a version: the primary one. Unknown names and versions are not_found; a model that is not
// loaded is unavailable.
Result<void> model_ready(
    const serve::RouteTable& table, std::string_view name, std::string_view version
);
Result<protocol::ModelMetadata> model_metadata(
    const serve::RouteTable& table, std::string_view name, std::string_view version
);
Result<protocol::ModelConfiguration> model_configuration(
    const serve::RouteTable& table, std::string_view name, std::string_view version
);

// Without a version: all that are loaded; without a name: of every endpoint.
Result<std::vector<protocol::ModelStatistics>> model_statistics(
    const serve::RouteTable& table, std::string_view name, std::string_view version
);

std::vector<protocol::RepositoryEntry> repository_index(
    const std::vector<EndpointView>& endpoints, bool ready_only
);

// A file that comes with a load: "1/model.onnx" or its sidecar.
struct ModelFile {
  std::string path;
  std::string bytes;
};

// The repository's load. With files they are deployed at once, and the old version stays warm.
Result<void> load_model(
    Controller& controller, const std::string& name, std::vector<ModelFile> files
);

}  // namespace weir::control
