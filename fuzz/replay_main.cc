// The main function of a fuzz target where libFuzzer is not linked: runs the decoder on every file
// of a corpus, on every prefix of the short ones and on mutations of each. Mutations follow from a
// fixed seed and the file's bytes, so a failure happens again; the input that caused it is written
// to crash-input in the working folder, to be put into the corpus under a name that says what it
// is.
//
//   fuzz_X CORPUS_FOLDER_OR_FILE…

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Of the sanitizers' runtime, where one is linked.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr std::size_t longest_cut_everywhere = 2048;
constexpr int mutations_per_file = 300;

std::vector<std::uint8_t> current_input;
std::string crash_path;

void keep_input() {
  std::FILE* file = std::fopen(crash_path.c_str(), "wb");
  if (file == nullptr) return;
  std::fwrite(current_input.data(), 1, current_input.size(), file);
  std::fclose(file);
  std::fprintf(stderr, "the input that failed is in %s\n", crash_path.c_str());
}

extern "C" void on_abort(int) {
  keep_input();
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
}

void run(std::vector<std::uint8_t> input) {
  // Exactly as long as the input: reading one byte past the end is seen by AddressSanitizer.
  input.shrink_to_fit();
  current_input = std::move(input);
  LLVMFuzzerTestOneInput(current_input.data(), current_input.size());
}

std::vector<std::uint8_t> mutated(std::vector<std::uint8_t> input, std::mt19937_64& random) {
  const auto below = [&random](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
  for (std::size_t change = 0, changes = 1 + below(4); change < changes; ++change) {
    const std::size_t at = below(input.size());
    switch (input.empty() ? 2 : below(5)) {
      case 0:
        input[at] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        input[at] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 2:
        input.insert(
            input.begin() + static_cast<std::ptrdiff_t>(at),
            1 + below(8),
            static_cast<std::uint8_t>(random())
        );
        break;
      case 3:
        input.erase(
            input.begin() + static_cast<std::ptrdiff_t>(at),
            input.begin() + static_cast<std::ptrdiff_t>(at + 1 + below(input.size() - at))
        );
        break;
      default:  // A piece of the input once more somewhere else, as nesting and repetition do.
        std::vector<std::uint8_t> piece(
            input.begin() + static_cast<std::ptrdiff_t>(at),
            input.begin() + static_cast<std::ptrdiff_t>(std::min(at + 1 + below(32), input.size()))
        );
        input.insert(
            input.begin() + static_cast<std::ptrdiff_t>(below(input.size())),
            piece.begin(),
            piece.end()
        );
    }
  }
  return input;
}

bool replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    std::fprintf(stderr, "cannot read '%s'\n", path.c_str());
    return false;
  }
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  run(bytes);
  if (bytes.size() <= longest_cut_everywhere) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      run({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    }
  }
  std::seed_seq seed(bytes.begin(), bytes.end());
  std::mt19937_64 random(seed);
  for (int round = 0; round < mutations_per_file; ++round) run(mutated(bytes, random));
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  crash_path = std::filesystem::current_path() / "crash-input";
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);
  std::signal(SIGABRT, on_abort);
  std::vector<std::filesystem::path> files;
  for (int index = 1; index < count; ++index) {
    const std::filesystem::path path(arguments[index]);
    if (std::filesystem::is_regular_file(path)) files.push_back(path);
    if (!std::filesystem::is_directory(path)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      files.push_back(entry.path());
    }
  }
  if (files.empty()) {
    std::fprintf(
        stderr, "no file in %s: a fuzz target needs a valid input\n", count > 1 ? arguments[1] : "-"
    );
    return 1;
  }
  std::sort(files.begin(), files.end());
  const bool all_read = std::all_of(files.begin(), files.end(), replay);
  std::printf("%zu corpus files, each with its prefixes and mutations\n", files.size());
  return all_read ? 0 : 1;
}
