#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/id.h"

// For tests: a disk that is full, slow, read-only or forgetful.

namespace weir::ledger {

// A folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / name()) {
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  static std::string name() {
    const auto text = make_uuid7(now_us()).text();
    return "weir-" + std::string(text.begin(), text.end());
  }
  std::filesystem::path path_;
};

// Writes to the real disk and fails on command. Thread-safe.
class FaultyFiles final : public FileSystem {
 public:
  // After this many more bytes the disk is full; a write that does not fit leaves its part.
  std::atomic<std::uint64_t> bytes_left{UINT64_MAX};
  std::atomic<bool> is_read_only{false};
  std::atomic<bool> does_sync_fail{false};
  std::atomic<std::uint64_t> free{UINT64_MAX};
  // After this many more changes nothing happens any more, as if the process had been killed.
  std::atomic<std::int64_t> changes_left{INT64_MAX};

  // Holds every append until it is opened again.
  void close_gate() { set_gate(true); }
  void open_gate() { set_gate(false); }
  // Returns when a thread stands before the gate.
  void wait_for_gate() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  std::uint64_t syncs() const { return syncs_; }

  // What is left when the power goes: of each file the synced part, and no new name that the sync
  // of its folder has not covered. Call it when nobody writes any more.
  void cut_power() {
    const std::scoped_lock lock(mutex_);
    std::error_code ignored;
    for (const auto& [path, size] : synced_sizes_)
      std::filesystem::resize_file(path, size, ignored);
    for (auto rename = renames_.rbegin(); rename != renames_.rend(); ++rename) {
      std::filesystem::rename(rename->second, rename->first, ignored);
    }
    for (const std::string& path : unsynced_names_) std::filesystem::remove(path, ignored);
    synced_sizes_.clear();
    renames_.clear();
    unsynced_names_.clear();
  }

  Result<std::unique_ptr<AppendFile>> create(const std::string& path) override {
    TRY(change(path));
    auto file = TRY(system_files().create(path));
    const std::scoped_lock lock(mutex_);
    synced_sizes_[path] = 0;
    unsynced_names_.insert(path);
    return std::make_unique<File>(*this, path, std::move(file));
  }
  Result<std::string> read(const std::string& path) override { return system_files().read(path); }
  Result<void> write_whole(const std::string& path, std::string_view bytes) override {
    TRY(change(path));
    if (bytes.size() > bytes_left) return fail(Code::exhausted, "the disk of '{}' is full", path);
    return system_files().write_whole(path, bytes);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY(change(to));
    TRY(system_files().rename(from, to));
    const std::scoped_lock lock(mutex_);
    renames_.emplace_back(from, to);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    TRY(change(path));
    return system_files().remove(path);
  }
  Result<void> make_folders(const std::string& path) override {
    TRY(change(path));
    return system_files().make_folders(path);
  }
  Result<void> sync_folder(const std::string& path) override {
    TRY(change(path));
    const std::scoped_lock lock(mutex_);
    const auto is_inside = [&](const std::string& name) {
      return std::filesystem::path(name).parent_path() == path;
    };
    std::erase_if(unsynced_names_, is_inside);
    std::erase_if(renames_, [&](const auto& rename) { return is_inside(rename.second); });
    return {};
  }
  Result<std::uint64_t> free_bytes(const std::string&) override { return free.load(); }

 private:
  class File final : public AppendFile {
   public:
    File(FaultyFiles& files, std::string path, std::unique_ptr<AppendFile> file)
        : files_(files), path_(std::move(path)), file_(std::move(file)) {}
    Result<void> append(std::span<const std::byte> bytes) override {
      files_.pass_gate();
      TRY(files_.change(path_));
      const std::uint64_t left = files_.bytes_left;
      if (bytes.size() > left) {
        files_.bytes_left = 0;
        TRY(file_->append(bytes.first(left)));
        return fail(Code::exhausted, "cannot write '{}': no space left on device", path_);
      }
      files_.bytes_left -= bytes.size();
      return file_->append(bytes);
    }
    Result<void> sync() override {
      TRY(files_.change(path_));
      if (files_.does_sync_fail) return fail(Code::unavailable, "cannot sync '{}'", path_);
      ++files_.syncs_;
      const std::scoped_lock lock(files_.mutex_);
      files_.synced_sizes_[path_] = file_->size();
      return {};
    }
    std::uint64_t size() const override { return file_->size(); }

   private:
    FaultyFiles& files_;
    std::string path_;
    std::unique_ptr<AppendFile> file_;
  };

  Result<void> change(const std::string& path) {
    if (changes_left.fetch_sub(1) <= 0) return fail(Code::unavailable, "killed at '{}'", path);
    if (is_read_only) return fail(Code::unavailable, "'{}': read-only file system", path);
    return {};
  }
  void set_gate(bool is_closed) {
    const std::scoped_lock lock(mutex_);
    is_closed_ = is_closed;
    changed_.notify_all();
  }
  void pass_gate() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_closed_; });
    --waiting_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_closed_ = false;
  int waiting_ = 0;
  std::atomic<std::uint64_t> syncs_{0};
  std::map<std::string, std::uint64_t> synced_sizes_;
  std::vector<std::pair<std::string, std::string>> renames_;
  std::set<std::string> unsynced_names_;
};

}  // namespace weir::ledger
