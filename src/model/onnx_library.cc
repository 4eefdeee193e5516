#include "model/onnx_library.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>
#include <vector>

#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include "base/log.h"
#include "model/onnx_values.h"

namespace weir::model {
namespace {

// The oldest interface that has all we use; newer libraries go on offering it.
constexpr std::uint32_t api_version = 21;

struct Handle {
  void* library = nullptr;
  std::string path;
};

// What the library has to say for itself is returned as errors as well, so it is no news.
void ORT_API_CALL write_runtime_log(
    void* /*parameter*/,
    OrtLoggingLevel /*severity*/,
    const char* category,
    const char* /*log_id*/,
    const char* /*location*/,
    const char* message
) {
  LOG(debug, "ONNX Runtime ({}): {}", category, first_line(message));
}

Result<Handle> open_library(const std::string& path) {
  // Local, so that its symbols never meet those of another library; lazy, because most of its
  // functions are never called.
  void* library = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library != nullptr) return Handle{library, path};
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the C library keeps it for each thread.
  const char* reason = ::dlerror();
  return fail(Code::unavailable, "{}", reason != nullptr ? reason : "unknown reason");
}

std::string beside_the_program() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  return (program.parent_path().parent_path() / "lib" / "libonnxruntime.so").string();
}

// One place was asked for by name, so no other is tried.
Result<Handle> open_chosen(const std::string& path, std::string_view chosen_by) {
  auto handle = open_library(path);
  if (handle) return handle;
  return fail(
      Code::unavailable,
      "cannot load ONNX Runtime from '{}', which {} names: {}",
      path,
      chosen_by,
      handle.error().message
  );
}

Result<Handle> find_library(const SessionOptions& options) {
  if (!options.onnx_library.empty()) {
    return open_chosen(options.onnx_library, "the option onnx_library");
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes this variable.
  const char* from_environment = std::getenv("WEIR_ONNXRUNTIME");
  if (from_environment != nullptr && *from_environment != '\0') {
    return open_chosen(from_environment, "the environment variable WEIR_ONNXRUNTIME");
  }
  std::string tried;
  const std::vector<std::string> places = {
      WEIR_ONNXRUNTIME_LIBRARY, beside_the_program(), "libonnxruntime.so.1", "libonnxruntime.so"};
  for (const std::string& path : places) {
    if (path.empty()) continue;
    auto handle = open_library(path);
    if (handle) return handle;
    tried += tried.empty() ? "'" : ", '";
    tried += path + "'";
  }
  return fail(
      Code::unavailable,
      "cannot find ONNX Runtime, which ONNX models need (tried {}): run scripts/setup, or name the "
      "file libonnxruntime.so in the environment variable WEIR_ONNXRUNTIME",
      tried
  );
}

Result<const OrtApi*> find_api(const Handle& handle) {
  void* symbol = ::dlsym(handle.library, "OrtGetApiBase");
  if (symbol == nullptr) {
    return fail(
        Code::unavailable,
        "'{}' is not ONNX Runtime: it has no function OrtGetApiBase; name another file in the "
        "environment variable WEIR_ONNXRUNTIME",
        handle.path
    );
  }
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(symbol);
  const char* version = base()->GetVersionString();
  // An older library complains on standard error about a version that it does not know.
  const OrtApi* api = base()->GetApi(api_version);
  if (api != nullptr) return api;
  return fail(
      Code::unavailable,
      "'{}' is ONNX Runtime {}, and Weir needs 1.{} or newer; name another file in the environment "
      "variable WEIR_ONNXRUNTIME",
      handle.path,
      version,
      api_version
  );
}

Result<OrtEnv*> make_environment(const OrtApi& api, int threads) {
  OrtThreadingOptions* threading = nullptr;
  TRY(check(api, api.CreateThreadingOptions(&threading)));
  const std::unique_ptr<OrtThreadingOptions, void (*)(OrtThreadingOptions*)> owner(
      threading, api.ReleaseThreadingOptions
  );
  TRY(check(api, api.SetGlobalIntraOpNumThreads(threading, threads)));
  TRY(check(api, api.SetGlobalInterOpNumThreads(threading, 1)));
  // Spinning threads would take the cores from the threads that serve.
  TRY(check(api, api.SetGlobalSpinControl(threading, 0)));
  OrtEnv* env = nullptr;
  TRY(check(
      api,
      api.CreateEnvWithCustomLoggerAndGlobalThreadPools(
          write_runtime_log, nullptr, ORT_LOGGING_LEVEL_ERROR, "weir", threading, &env
      )
  ));
  TRY(check(api, api.DisableTelemetryEvents(env)));
  return env;
}

Result<OnnxLibrary> load(const SessionOptions& options, int threads) {
  // The library reports to its maker unless told not to, and asks for this before anything of ours
  // can call it.
  // NOLINTNEXTLINE(concurrency-mt-unsafe): under the lock below, and nothing else sets variables.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  const Handle handle = TRY(find_library(options));
  OnnxLibrary library;
  library.path = handle.path;
  library.api = TRY(find_api(handle));
  library.version = library.api->GetBuildInfoString();
  library.env = TRY(make_environment(*library.api, threads));
  OrtMemoryInfo* memory = nullptr;
  TRY(check(
      *library.api, library.api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory)
  ));
  library.memory = memory;
  return library;
}

}  // namespace

Result<const OnnxLibrary*> onnx_library(const SessionOptions& options) {
  static std::mutex mutex;
  // Never destroyed: sessions may outlive the end of main().
  static OnnxLibrary* loaded = nullptr;
  static int loaded_threads = 0;

  const int threads = std::max(options.onnx_threads, 1);
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    // In a statement of its own: a TRY inside the new expression would return past its memory.
    auto library = TRY(load(options, threads));
    loaded = new OnnxLibrary(std::move(library));
    loaded_threads = threads;
  } else if (threads != loaded_threads) {
    LOG(warning,
        "ONNX Runtime runs with {} threads, chosen by the first model; {} needs a restart",
        loaded_threads,
        threads);
  }
  return loaded;
}

}  // namespace weir::model
