#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/v2_views.h"
#include "protocol/v2_documents.h"
#include "serve/routes.h"

// What the V2 surface shows besides predictions, as JSON text.

namespace weir::http {

// `operation` is "", "ready", "config" or "stats"; see control/v2_views.h. Statistics without a
// name are those of every endpoint.
Result<std::string> model_document(
    const serve::Routes& routes,
    std::string_view name,
    std::string_view version,
    std::string_view operation
);

// The files of a load, out of their base64.
Result<std::vector<control::ModelFile>> decode_files(const protocol::RepositoryRequest& request);

}  // namespace weir::http
