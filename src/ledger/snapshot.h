#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

// The files of the ledger at one moment. A file that is replaced or deleted stays on disk while a
// snapshot names it, so that a query over the snapshot sees every row once.

namespace weir::ledger {

class StoredFile;

// The Parquet files of one endpoint, absolute paths.
struct EndpointFiles {
  std::vector<std::string> records;
  std::vector<std::string> feedback;
};

// Immutable. Copies share.
struct Snapshot {
  // Segments are shared by all endpoints: records and feedback, sealed or open.
  std::vector<std::string> segments;
  std::vector<std::string> feedback_segments;
  std::map<std::string, EndpointFiles, std::less<>> endpoints;
  std::vector<std::shared_ptr<const StoredFile>> held;
};

}  // namespace weir::ledger
