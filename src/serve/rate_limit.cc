#include "serve/rate_limit.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/id.h"

namespace weir::serve {

std::string_view client_header(const RateLimitOptions& options) {
  switch (options.by) {
    case RateLimitOptions::By::address:
      return {};
    case RateLimitOptions::By::key:
      return "weir-routing-key";
    case RateLimitOptions::By::header:
      return options.header;
  }
  return {};
}

RateLimit::RateLimit(const RateLimitOptions& options)
    : options_(options),
      max_per_shard_(std::max<std::size_t>(options.max_clients / shard_count, 1)),
      seed_(random64()) {
  CHECK(options.per_second > 0 && options.burst >= 1, "a limit of nothing is made by nobody");
}

std::optional<std::int64_t> RateLimit::wait_ns(std::string_view client, std::int64_t now_ns) {
  const std::uint64_t hash = hash64(client, seed_);
  Shard& shard = shards_[hash % shard_count];
  const std::lock_guard lock(shard.mutex);
  Bucket& bucket = bucket_of(shard, hash, now_ns);
  const std::int64_t passed_ns = std::max<std::int64_t>(now_ns - bucket.filled_ns, 0);
  const double come_back = static_cast<double>(passed_ns) * options_.per_second / 1e9;
  bucket.tokens = std::min(bucket.tokens + come_back, options_.burst);
  bucket.filled_ns = std::max(bucket.filled_ns, now_ns);
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return std::nullopt;
  }
  ++shard.refused;
  return static_cast<std::int64_t>((1 - bucket.tokens) / options_.per_second * 1e9) + 1;
}

std::size_t RateLimit::clients() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.buckets.size();
  }
  return sum;
}

std::uint64_t RateLimit::refused() const {
  std::uint64_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.refused;
  }
  return sum;
}

// The client's bucket, which is the newest afterwards.
RateLimit::Bucket& RateLimit::bucket_of(Shard& shard, std::uint64_t client, std::int64_t now_ns)
    const {
  std::uint32_t place = none;
  if (const auto found = shard.places.find(client); found != shard.places.end()) {
    place = found->second;
    unlink(shard, place);
  } else {
    if (shard.buckets.size() < max_per_shard_) {
      place = static_cast<std::uint32_t>(shard.buckets.size());
      shard.buckets.emplace_back();
    } else {
      place = shard.oldest;
      unlink(shard, place);
      shard.places.erase(shard.buckets[place].client);
    }
    shard.buckets[place] = {.client = client, .tokens = options_.burst, .filled_ns = now_ns};
    shard.places.emplace(client, place);
  }
  put_first(shard, place);
  return shard.buckets[place];
}

void RateLimit::unlink(Shard& shard, std::uint32_t place) {
  const Bucket& bucket = shard.buckets[place];
  (bucket.newer == none ? shard.newest : shard.buckets[bucket.newer].older) = bucket.older;
  (bucket.older == none ? shard.oldest : shard.buckets[bucket.older].newer) = bucket.newer;
}

void RateLimit::put_first(Shard& shard, std::uint32_t place) {
  Bucket& bucket = shard.buckets[place];
  bucket.newer = none;
  bucket.older = shard.newest;
  (shard.newest == none ? shard.oldest : shard.buckets[shard.newest].newer) = place;
  shard.newest = place;
}

}  // namespace weir::serve
