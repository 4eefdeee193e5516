#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "ledger/feedback.h"

// The recent predictions of one endpoint in memory, so that a label that arrives soon is matched at
// once and counts towards the live accuracy of each version and arm. It is bounded: what is older
// waits for the join in SQL, which sees everything. Nothing here is on disk.

namespace weir::ledger {

// A prediction as the recorder hands it over. It borrows.
struct IndexedPrediction {
  std::string_view id = {};
  std::uint32_t row = 0;
  Moment recorded_at = 0;  // Records of one request have the same; it tells requests apart.
  std::uint32_t version = 0;
  std::string_view arm = {};
  std::string_view predicted = {};  // Empty: nothing to compare a label with.
};

// What became of a batch of feedback. accepted = matched + waiting; a duplicate or corrected label
// is also matched. In the totals, a label whose prediction came later counts as matched.
struct FeedbackCounts {
  std::uint64_t accepted = 0;
  std::uint64_t matched = 0;
  std::uint64_t waiting = 0;    // No recent prediction of this id and row: SQL joins it later.
  std::uint64_t duplicate = 0;  // The same label again.
  std::uint64_t corrected = 0;  // Another label than before, and not an older one.
  FeedbackCounts& operator+=(const FeedbackCounts& other);
};

// Live accuracy of one version in one arm, over all labels that were matched here.
struct ArmAccuracy {
  std::uint32_t version = 0;
  std::string arm = {};
  std::uint64_t predictions = 0;  // Inserted so far.
  std::uint64_t labelled = 0;
  std::uint64_t correct = 0;  // Label and prediction are the same class.
  // Over pairs of numbers, for regressions.
  std::uint64_t numeric = 0;
  double sum_absolute_error = 0;
  double sum_squared_error = 0;
  ArmAccuracy& operator+=(const ArmAccuracy& other);  // Of the same version and arm.
};

// Thread-safe.
class FeedbackIndex {
 public:
  struct Options {
    std::size_t recent_records = 131'072;  // At most 40 bytes each; memory grows as it fills.
    std::size_t max_arms = 1'024;          // Pairs of version and arm; more are not indexed.
    // Labels without a prediction that are kept in case it comes: a label may overtake the batch
    // that brings its record, and a shadow may take its time.
    std::size_t recent_labels = 4'096;
  };

  explicit FeedbackIndex(Options options);

  // Cheap: about as much as a hash and two cache misses a prediction. The recorder calls it once a
  // batch.
  void insert(std::span<const IndexedPrediction> predictions);

  // Matches feedback with the newest request that had this id and row: with its answer and with
  // the shadows beside it. An older label (by time, in whole seconds) never replaces a newer one.
  FeedbackCounts apply(std::span<const Feedback> feedback);

  // Takes in an index of predictions that are all older than what is here, and of their labels, as
  // a restart finds them in the ledger. Labels that wait here are matched with them; the totals
  // count what was applied here only. Requires: the same options.
  void put_before(FeedbackIndex&& older);

  std::vector<ArmAccuracy> accuracy() const;
  FeedbackCounts totals() const;
  // Requests that used an id and row again while the first was still here.
  std::uint64_t repeated_ids() const;
  std::size_t size() const;
  std::size_t memory_bytes() const;

 private:
  // Everything in it is four bytes wide so that nothing is lost to alignment.
  struct Entry {
    std::uint32_t key = 0;                     // The half of the hash that the table does not use.
    std::uint32_t bucket = 0;                  // Where it hangs.
    std::uint32_t next = 0;                    // In the bucket; newest first.
    std::array<std::uint32_t, 2> predicted{};  // A double, or the hash of a text.
    std::array<std::uint32_t, 2> label{};
    std::uint32_t label_seconds = 0;
    std::uint16_t request = 0;  // Of recorded_at: tells the requests of one id apart.
    std::uint16_t arm_and_flags = 0;
    std::size_t arm() const { return arm_and_flags >> 5U; }
    bool has(unsigned flag) const { return (arm_and_flags & flag) != 0; }
    void set(unsigned flag) { arm_and_flags = static_cast<std::uint16_t>(arm_and_flags | flag); }
    void unset(unsigned flag) { arm_and_flags = static_cast<std::uint16_t>(arm_and_flags & ~flag); }
  };

  // A label in eight bytes.
  struct Label {
    std::array<std::uint32_t, 2> bits{};
    std::uint32_t seconds = 0;
    bool is_number = false;
  };

  std::uint16_t arm_of(std::uint32_t version, std::string_view arm);
  void unlink_oldest();
  void grow_table();
  void prefetch(std::span<const std::uint64_t> hashes);
  void insert_one(const IndexedPrediction& prediction, std::uint64_t hash);
  void link(Entry& entry);
  void look_at_older(Entry& entry, std::uint64_t hash);
  void keep_waiting(std::uint64_t hash, const Label& label);
  void set_label(Entry& entry, const Label& label);
  void apply_one(const Feedback& feedback, FeedbackCounts& counts);
  std::optional<std::uint16_t> newest_request(std::uint64_t hash) const;
  void match(std::uint64_t hash, std::uint16_t request, const Label& label, FeedbackCounts& counts);
  void append_entries_of(const FeedbackIndex& newer);
  void count(const Entry& entry, int sign);

  Options options_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // A ring once it is full.
  std::size_t next_ = 0;
  std::vector<std::uint32_t> heads_;  // Index + 1 of the newest entry; 0 = none.
  std::vector<ArmAccuracy> arms_;
  std::unordered_map<std::uint64_t, Label> waiting_;
  std::deque<std::uint64_t> waiting_order_;
  FeedbackCounts totals_;
  std::uint64_t repeated_ids_ = 0;
};

}  // namespace weir::ledger
