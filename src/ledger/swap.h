#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "ledger/paths.h"

// Takes files away and puts others in their place, so that a crash at any moment leaves either the
// old or the new ones: docs/ledger-format.md, section 6. All paths are relative to the ledger.

namespace weir::ledger {

struct Swap {
  struct Added {
    std::string from;  // In tmp_folder(stem).
    std::string to;
    bool operator==(const Added&) const = default;
  };
  FileStem stem;
  std::vector<Added> added;
  std::vector<std::string> removed;
  bool operator==(const Swap&) const = default;
};

// "segments/tmp/w1-00000007"
std::string tmp_folder(const FileStem& stem);

std::string encode_swap(const Swap& swap);
// `stem` is that of the file name. corrupt when it is not whole.
Result<Swap> decode_swap(std::string_view text, FileStem stem);

// Whether the commit stands in the folder.
bool is_committed(const std::string& folder, const Swap& swap);
// Step 2: from its success on, the swap is done, whatever happens.
Result<void> commit_swap(FileSystem& files, const std::string& folder, const Swap& swap);
// Step 3. May be repeated.
Result<void> place_added(FileSystem& files, const std::string& folder, const Swap& swap);
// Step 4. May be repeated.
Result<void> remove_removed(FileSystem& files, const std::string& folder, const Swap& swap);

// Finishes every swap of these writers and removes what broken ones left.
Result<void> recover_swaps(
    FileSystem& files, const std::string& folder, const std::set<std::string>& writers
);

}  // namespace weir::ledger
