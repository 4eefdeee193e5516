#include "ledger/feedback_index.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "ledger/record.h"

namespace weir::ledger {
namespace {

constexpr unsigned has_prediction = 1;
constexpr unsigned prediction_is_number = 2;
constexpr unsigned has_label = 4;
constexpr unsigned label_is_number = 8;
constexpr unsigned is_shadow = 16;
constexpr unsigned all_flags = 31;
constexpr std::size_t most_arms = 2'048;  // What fits beside five flags in sixteen bits.
constexpr std::size_t first_buckets = 1'024;
constexpr std::size_t predictions_at_once = 16;

// A label or prediction in eight bytes: a number as it is, any other text as its hash.
struct Value {
  std::array<std::uint32_t, 2> bits{};
  bool is_number = false;
};

Value value_of(std::string_view text) {
  text = canonical_label(text);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(number)) {
    return {std::bit_cast<std::array<std::uint32_t, 2>>(number), true};
  }
  return {std::bit_cast<std::array<std::uint32_t, 2>>(hash64(text)), false};
}

std::uint64_t hash_of(std::string_view id, std::uint32_t row) {
  // Not as the seed of the hash: for short texts it would only shift it, and "r1", row 5 could be
  // "r2", row 4. Every step of what follows can be undone, so it brings no two hashes together.
  std::uint64_t hash = hash64(id) + row * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ hash >> 30U) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ hash >> 27U) * 0x94d049bb133111ebULL;
  return hash ^ hash >> 31U;
}

std::uint16_t request_of(Moment recorded_at) {
  return static_cast<std::uint16_t>(
      static_cast<std::uint64_t>(recorded_at) * 0x9e3779b97f4a7c15ULL >> 48U
  );
}

std::uint32_t seconds_of(Moment time) {
  return static_cast<std::uint32_t>(std::clamp<Moment>(time / us_per_second, 0, UINT32_MAX));
}

}  // namespace

FeedbackCounts& FeedbackCounts::operator+=(const FeedbackCounts& other) {
  accepted += other.accepted;
  matched += other.matched;
  waiting += other.waiting;
  duplicate += other.duplicate;
  corrected += other.corrected;
  return *this;
}

ArmAccuracy& ArmAccuracy::operator+=(const ArmAccuracy& other) {
  predictions += other.predictions;
  labelled += other.labelled;
  correct += other.correct;
  numeric += other.numeric;
  sum_absolute_error += other.sum_absolute_error;
  sum_squared_error += other.sum_squared_error;
  return *this;
}

FeedbackIndex::FeedbackIndex(Options options) : options_(options) {
  options_.recent_records = std::clamp<std::size_t>(options_.recent_records, 1, UINT32_MAX / 2);
  options_.max_arms = std::min(options_.max_arms, most_arms);
}

std::uint16_t FeedbackIndex::arm_of(std::uint32_t version, std::string_view arm) {
  // Newest first: a new version is what most records come from.
  for (std::size_t i = arms_.size(); i-- > 0;) {
    if (arms_[i].version == version && arms_[i].arm == arm) return static_cast<std::uint16_t>(i);
  }
  if (arms_.size() == options_.max_arms) return UINT16_MAX;
  arms_.push_back({.version = version, .arm = std::string(arm)});
  return static_cast<std::uint16_t>(arms_.size() - 1);
}

void FeedbackIndex::grow_table() {
  const std::size_t wanted = std::bit_floor(options_.recent_records);
  const std::size_t size = std::min(std::max(first_buckets, heads_.size() * 2), wanted);
  heads_.assign(std::max<std::size_t>(size, 1), 0);
  // Entries are in order of age here: the ring has not wrapped while the table still grows.
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::uint32_t& head = heads_[entries_[i].bucket & (heads_.size() - 1)];
    entries_[i].next = head;
    head = static_cast<std::uint32_t>(i + 1);
  }
}

void FeedbackIndex::unlink_oldest() {
  // The oldest of all is the last of its bucket.
  std::uint32_t* link = &heads_[entries_[next_].bucket & (heads_.size() - 1)];
  while (*link != next_ + 1) link = &entries_[*link - 1].next;
  *link = 0;
}

void FeedbackIndex::insert_one(const IndexedPrediction& prediction, std::uint64_t hash) {
  const std::uint16_t arm = arm_of(prediction.version, prediction.arm);
  if (arm == UINT16_MAX) return;
  ++arms_[arm].predictions;
  Entry entry;
  entry.key = static_cast<std::uint32_t>(hash >> 32U);
  entry.bucket = static_cast<std::uint32_t>(hash);
  entry.request = request_of(prediction.recorded_at);
  entry.arm_and_flags = static_cast<std::uint16_t>(arm << 5U);
  if (!prediction.predicted.empty()) {
    const Value value = value_of(prediction.predicted);
    entry.predicted = value.bits;
    entry.set(has_prediction);
    if (value.is_number) entry.set(prediction_is_number);
  }
  if (prediction.arm == "shadow") entry.set(is_shadow);
  if (heads_.empty()) grow_table();
  look_at_older(entry, hash);
  link(entry);
}

// Counts a repeated id, and takes over the label that came before this record.
void FeedbackIndex::look_at_older(Entry& entry, std::uint64_t hash) {
  bool is_repeated = false;
  const Entry* labelled = nullptr;
  std::uint32_t at = heads_[entry.bucket & (heads_.size() - 1)];
  for (; at != 0; at = entries_[at - 1].next) {
    const Entry& other = entries_[at - 1];
    if (other.key != entry.key || other.bucket != entry.bucket) continue;
    if (other.request == entry.request) {
      if (labelled == nullptr && other.has(has_label)) labelled = &other;
    } else if (!entry.has(is_shadow) && !other.has(is_shadow)) {
      is_repeated = true;
    }
  }
  if (is_repeated) ++repeated_ids_;
  if (labelled != nullptr) {
    set_label(entry, {labelled->label, labelled->label_seconds, labelled->has(label_is_number)});
    return;
  }
  if (waiting_.empty()) return;
  const auto found = waiting_.find(hash);
  if (found == waiting_.end()) return;
  set_label(entry, found->second);
  waiting_.erase(found);
  --totals_.waiting;
  ++totals_.matched;
}

void FeedbackIndex::link(Entry& entry) {
  if (entries_.size() < options_.recent_records) {
    const bool may_grow = heads_.size() < std::bit_floor(options_.recent_records);
    if (may_grow && entries_.size() >= heads_.size()) grow_table();
    if (entries_.size() == entries_.capacity()) {
      const std::size_t wanted = std::max(first_buckets, entries_.capacity() * 2);
      entries_.reserve(std::min(wanted, options_.recent_records));
    }
    next_ = entries_.size();
    entries_.emplace_back();
  } else {
    unlink_oldest();
  }
  std::uint32_t& head = heads_[entry.bucket & (heads_.size() - 1)];
  entry.next = head;
  head = static_cast<std::uint32_t>(next_ + 1);
  entries_[next_] = entry;
  next_ = (next_ + 1) % options_.recent_records;
}

void FeedbackIndex::set_label(Entry& entry, const Label& label) {
  entry.label = label.bits;
  entry.label_seconds = label.seconds;
  entry.set(has_label);
  entry.unset(label_is_number);
  if (label.is_number) entry.set(label_is_number);
  count(entry, 1);
}

void FeedbackIndex::keep_waiting(std::uint64_t hash, const Label& label) {
  const auto [found, is_new] = waiting_.try_emplace(hash, label);
  if (!is_new) {
    if (label.seconds >= found->second.seconds) found->second = label;
    return;
  }
  waiting_order_.push_back(hash);
  while (waiting_order_.size() > options_.recent_labels) {
    waiting_.erase(waiting_order_.front());
    waiting_order_.pop_front();
  }
}

void FeedbackIndex::insert(std::span<const IndexedPrediction> predictions) {
  const std::scoped_lock lock(mutex_);
  std::array<std::uint64_t, predictions_at_once> hashes{};
  while (!predictions.empty()) {
    const auto some = predictions.first(std::min(predictions.size(), hashes.size()));
    for (std::size_t i = 0; i < some.size(); ++i) hashes[i] = hash_of(some[i].id, some[i].row);
    prefetch(std::span(hashes).first(some.size()));
    for (std::size_t i = 0; i < some.size(); ++i) insert_one(some[i], hashes[i]);
    predictions = predictions.subspan(some.size());
  }
}

// Table and ring are larger than the caches, and each prediction touches four places of them: all
// are asked for before the first is needed.
void FeedbackIndex::prefetch(std::span<const std::uint64_t> hashes) {
  if (heads_.empty()) return;
  const bool is_full = entries_.size() == options_.recent_records;
  std::array<const std::uint32_t*, 2 * predictions_at_once> heads{};
  std::size_t count = 0;
  const auto add = [&](std::uint32_t bucket) {
    const std::uint32_t* head = &heads_[bucket & (heads_.size() - 1)];
    __builtin_prefetch(head, 1);
    heads[count++] = head;
  };
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    add(static_cast<std::uint32_t>(hashes[i]));
    if (is_full) add(entries_[(next_ + i) % entries_.size()].bucket);
  }
  for (const std::uint32_t* head : std::span(heads).first(count)) {
    if (*head != 0) __builtin_prefetch(&entries_[*head - 1], 1);
  }
}

void FeedbackIndex::count(const Entry& entry, int sign) {
  if (!entry.has(has_prediction)) return;
  ArmAccuracy& arm = arms_[entry.arm()];
  const auto add = [sign](std::uint64_t& counter) {
    counter += static_cast<std::uint64_t>(static_cast<std::int64_t>(sign));
  };
  add(arm.labelled);
  const bool both_numbers = entry.has(prediction_is_number) && entry.has(label_is_number);
  const bool same_kind = entry.has(prediction_is_number) == entry.has(label_is_number);
  if (same_kind && entry.predicted == entry.label) add(arm.correct);
  if (!both_numbers) return;
  add(arm.numeric);
  const double error = std::bit_cast<double>(entry.predicted) - std::bit_cast<double>(entry.label);
  arm.sum_absolute_error += sign * std::abs(error);
  arm.sum_squared_error += sign * error * error;
}

// The newest request is that of the newest answer; shadows alone count when no answer is here.
std::optional<std::uint16_t> FeedbackIndex::newest_request(std::uint64_t hash) const {
  if (heads_.empty()) return std::nullopt;
  const auto key = static_cast<std::uint32_t>(hash >> 32U);
  const auto bucket = static_cast<std::uint32_t>(hash);
  std::optional<std::uint16_t> request;
  bool is_answer = false;
  std::uint32_t at = heads_[bucket & (heads_.size() - 1)];
  for (; at != 0 && !is_answer; at = entries_[at - 1].next) {
    const Entry& entry = entries_[at - 1];
    if (entry.key != key || entry.bucket != bucket) continue;
    is_answer = !entry.has(is_shadow);
    if (!request || is_answer) request = entry.request;
  }
  return request;
}

// Requires: newest_request has found it.
void FeedbackIndex::match(
    std::uint64_t hash, std::uint16_t request, const Label& label, FeedbackCounts& counts
) {
  bool is_duplicate = false;
  bool is_corrected = false;
  const auto key = static_cast<std::uint32_t>(hash >> 32U);
  const auto bucket = static_cast<std::uint32_t>(hash);
  std::uint32_t at = heads_[bucket & (heads_.size() - 1)];
  for (; at != 0; at = entries_[at - 1].next) {
    Entry& entry = entries_[at - 1];
    if (entry.key != key || entry.bucket != bucket || entry.request != request) continue;
    if (entry.has(has_label)) {
      if (entry.label == label.bits && entry.has(label_is_number) == label.is_number) {
        is_duplicate = true;
        entry.label_seconds = std::max(entry.label_seconds, label.seconds);
        continue;
      }
      if (label.seconds < entry.label_seconds) continue;
      is_corrected = true;
      count(entry, -1);
    }
    set_label(entry, label);
  }
  counts.duplicate += is_duplicate && !is_corrected ? 1 : 0;
  counts.corrected += is_corrected ? 1 : 0;
}

void FeedbackIndex::apply_one(const Feedback& feedback, FeedbackCounts& counts) {
  ++counts.accepted;
  const std::uint64_t hash = hash_of(feedback.id, feedback.row);
  const std::optional<std::uint16_t> request = newest_request(hash);
  ++(request ? counts.matched : counts.waiting);
  if (feedback.kind != Feedback::Kind::label) return;
  const Value value = value_of(feedback.text);
  const Label label{value.bits, seconds_of(feedback.time), value.is_number};
  if (request) {
    match(hash, *request, label, counts);
  } else {
    keep_waiting(hash, label);
  }
}

FeedbackCounts FeedbackIndex::apply(std::span<const Feedback> feedback) {
  const std::scoped_lock lock(mutex_);
  FeedbackCounts counts;
  for (const Feedback& one : feedback) apply_one(one, counts);
  totals_ += counts;
  return counts;
}

void FeedbackIndex::append_entries_of(const FeedbackIndex& newer) {
  std::vector<std::uint16_t> places;  // Of the arms of `newer` here.
  for (const ArmAccuracy& arm : newer.arms_) {
    places.push_back(arm_of(arm.version, arm.arm));
    if (places.back() != UINT16_MAX) arms_[places.back()] += arm;
  }
  // A ring that is not full ends where it begins again.
  for (std::size_t i = 0; i < newer.entries_.size(); ++i) {
    Entry entry = newer.entries_[(newer.next_ + i) % newer.entries_.size()];
    const std::uint16_t place = places[entry.arm()];
    if (place == UINT16_MAX) continue;
    const unsigned flags = entry.arm_and_flags & all_flags;
    entry.arm_and_flags = static_cast<std::uint16_t>(unsigned{place} << 5U | flags);
    link(entry);
  }
}

void FeedbackIndex::put_before(FeedbackIndex&& older) {
  const std::scoped_lock lock(mutex_, older.mutex_);
  older.append_entries_of(*this);
  older.waiting_.clear();
  older.waiting_order_.clear();
  for (const std::uint64_t hash : waiting_order_) {
    const auto found = waiting_.find(hash);
    if (found == waiting_.end()) continue;  // Its prediction came, or it is here twice.
    const std::optional<std::uint16_t> request = older.newest_request(hash);
    if (request) {
      older.match(hash, *request, found->second, totals_);
      --totals_.waiting;
      ++totals_.matched;
    } else {
      older.keep_waiting(hash, found->second);
    }
    waiting_.erase(found);
  }
  std::swap(entries_, older.entries_);
  std::swap(next_, older.next_);
  std::swap(heads_, older.heads_);
  std::swap(arms_, older.arms_);
  std::swap(waiting_, older.waiting_);
  std::swap(waiting_order_, older.waiting_order_);
}

std::vector<ArmAccuracy> FeedbackIndex::accuracy() const {
  const std::scoped_lock lock(mutex_);
  return arms_;
}

FeedbackCounts FeedbackIndex::totals() const {
  const std::scoped_lock lock(mutex_);
  return totals_;
}

std::uint64_t FeedbackIndex::repeated_ids() const {
  const std::scoped_lock lock(mutex_);
  return repeated_ids_;
}

std::size_t FeedbackIndex::size() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

std::size_t FeedbackIndex::memory_bytes() const {
  const std::scoped_lock lock(mutex_);
  return entries_.capacity() * sizeof(Entry) + heads_.capacity() * sizeof(std::uint32_t);
}

}  // namespace weir::ledger
