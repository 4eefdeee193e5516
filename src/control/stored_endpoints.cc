#include "control/stored_endpoints.h"

#include <string>
#include <vector>

namespace weir::control {

Result<EndpointState> stored_endpoint(const store::Store& store, std::string_view name) {
  if (const auto document = TRY(store.get(endpoints_collection, name))) {
    return parse_endpoint_json(document->json);
  }
  const std::vector<store::Document> documents = TRY(store.list(endpoints_collection));
  std::string names;
  for (const store::Document& document : documents) {
    names += (names.empty() ? "" : ", ") + document.key;
  }
  return fail(
      Code::not_found,
      "there is no endpoint '{}'; there {}",
      name,
      names.empty() ? "is none at all" : "are: " + names
  );
}

}  // namespace weir::control
