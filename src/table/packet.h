#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// What parent and worker say to each other: packets of a kind and some fields over a stream socket
// between two copies of the same program.

namespace weir::table {

enum class PacketKind : std::uint32_t {
  // From the parent. `configure` comes first and once.
  configure,
  query,
  export_rows,
  execute,
  read,
  read_columns,
  write_columns,  // Followed by parts, the first with the names of the columns, and `done`.
  read_matrix,
  // From the child. Every request is answered by any number of parts, then `done` or `failed`.
  part,
  done,
  failed,
};

// Fields are read in the order in which they were put; reading past them is an error, so a broken
// peer cannot make the other one read wild memory. One thread at a time.
class Packet {
 public:
  Packet() = default;
  explicit Packet(PacketKind kind) : kind_(kind) {}
  Packet(PacketKind kind, std::string bytes) : kind_(kind), bytes_(std::move(bytes)) {}

  PacketKind kind() const { return kind_; }
  const std::string& bytes() const { return bytes_; }

  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  void put(std::uint64_t number);
  void put(std::string_view text);
  void put(std::span<const std::string> texts);

  Result<std::uint64_t> take_number();
  Result<std::string> take_text();
  // The same as a part of this packet.
  Result<std::string_view> take_view();
  Result<std::vector<std::string>> take_texts();

 private:
  PacketKind kind_ = PacketKind::done;
  std::string bytes_;
  std::size_t position_ = 0;
};

// How long a peer may take, and how large its packet may be.
struct PacketLimits {
  std::int64_t deadline_ns = 0;  // On the monotonic clock; 0: no limit.
  std::uint64_t max_bytes = 0;
};

// Errors: unavailable when the peer closed its end, deadline, corrupt when a packet is too long.
Result<void> send_packet(int socket, const Packet& packet, const PacketLimits& limits);
Result<Packet> receive_packet(int socket, const PacketLimits& limits);

}  // namespace weir::table
