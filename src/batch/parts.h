#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "table/file_format.h"

namespace weir::batch {

struct PartCounts {
  std::uint64_t rows = 0;      // Of the output.
  std::uint64_t rejected = 0;  // That went to the side file.
};

// The finished parts of an output, in a folder beside it (OUT.parts), with a note of what they are
// parts of: whoever starts the same work again finds them. Part n holds the answers to rows
// [n * part_rows, (n + 1) * part_rows) of the input. Thread-safe.
class Parts {
 public:
  // `plan` is a line of text that says what the work is; parts of another plan are an error that
  // names the folder, unless they are to be thrown away.
  enum class Old : std::uint8_t { go_on, throw_away };
  static Result<std::unique_ptr<Parts>> open(
      const std::string& out, std::string_view plan, Old old
  );

  bool is_done(std::uint64_t number) const;
  // The lowest part that is not done.
  std::uint64_t first_missing() const;
  PartCounts total() const;
  std::uint64_t count() const;

  // Where a part is written before it is done.
  std::string temporary_path(std::uint64_t number) const;
  // The temporary file, and the lines about rejected rows, become a part.
  Result<void> finish(std::uint64_t number, const PartCounts& counts, std::string_view rejected);

  // All parts, and `further_rejected` behind their lines, become the output and its side file
  // (OUT.rejected.ndjson, only when there are any); the folder goes.
  Result<void> join(table::FileFormat format, std::string_view further_rejected);

 private:
  explicit Parts(const std::string& out) : out_(out), folder_(out + ".parts") {}
  Result<void> read_note(std::string_view plan, const std::string& note);
  std::string part_path(std::uint64_t number) const;
  std::string rejected_path(std::uint64_t number) const;

  const std::string out_;
  const std::string folder_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, PartCounts> done_;
};

// OUT.rejected.ndjson
std::string rejected_file(const std::string& out);

}  // namespace weir::batch
