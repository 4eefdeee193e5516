#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// How many requests a client may send: a token bucket for each. It knows neither HTTP nor gRPC; a
// transport says who the client is and turns a refusal into its own status.

namespace weir::serve {

struct RateLimitOptions {
  // Who a client is. Without the header it is its address.
  enum class By : std::uint8_t { address, key, header } by = By::address;
  std::string header;                 // With By::header.
  double per_second = 0;              // Tokens that come back; 0 = no limit.
  double burst = 1;                   // Tokens of a full bucket, at least 1.
  std::size_t max_clients = 100'000;  // Buckets; beyond, the one that was used longest ago goes.
};

// The header that names the client; empty when it is its address alone. The routing key is known
// here only where it is a header: what a body holds is not read before the client may send it.
std::string_view client_header(const RateLimitOptions& options);

// Thread-safe. Memory is bounded by max_clients: about 100 bytes each.
class RateLimit {
 public:
  explicit RateLimit(const RateLimitOptions& options);
  RateLimit(const RateLimit&) = delete;
  RateLimit& operator=(const RateLimit&) = delete;

  // Takes a token from the client's bucket. Without one: how long it takes until there is one. A
  // client without a bucket begins with a full one. `now_ns` is monotonic_ns().
  std::optional<std::int64_t> wait_ns(std::string_view client, std::int64_t now_ns);

  const RateLimitOptions& options() const { return options_; }
  std::size_t clients() const;
  std::uint64_t refused() const;

 private:
  static constexpr std::size_t shard_count = 16;
  static constexpr std::uint32_t none = UINT32_MAX;

  struct Bucket {
    std::uint64_t client = 0;  // Its hash.
    double tokens = 0;
    std::int64_t filled_ns = 0;
    std::uint32_t newer = none;
    std::uint32_t older = none;
  };
  // Clients are spread over shards, so that loops rarely wait for each other.
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, std::uint32_t> places;
    std::vector<Bucket> buckets;
    std::uint32_t newest = none;
    std::uint32_t oldest = none;
    std::uint64_t refused = 0;
  };
  Bucket& bucket_of(Shard& shard, std::uint64_t client, std::int64_t now_ns) const;
  static void unlink(Shard& shard, std::uint32_t place);
  static void put_first(Shard& shard, std::uint32_t place);

  const RateLimitOptions options_;
  const std::size_t max_per_shard_;
  const std::uint64_t seed_;  // So that nobody can compute two names of one bucket.
  std::array<Shard, shard_count> shards_;
};

}  // namespace weir::serve
