# Finds ONNX Runtime's C header and library: the system's own first, else the pinned pair that
# scripts/setup put under WEIR_DEPS_DIR. Defines OnnxRuntime::headers. Nothing links the library: it
# is loaded at run time (src/model/onnx_library.cc), and the compile definition
# WEIR_ONNXRUNTIME_LIBRARY is the path that is tried after the system's own.
find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_c_api.h PATH_SUFFIXES onnxruntime
          PATHS "${WEIR_DEPS_DIR}/onnxruntime/include")
find_library(OnnxRuntime_LIBRARY onnxruntime PATHS "${WEIR_DEPS_DIR}/onnxruntime/lib")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntime
  REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run scripts/setup, which fetches it into ${WEIR_DEPS_DIR}")
if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::headers)
  add_library(OnnxRuntime::headers INTERFACE IMPORTED)
  target_include_directories(OnnxRuntime::headers SYSTEM INTERFACE "${OnnxRuntime_INCLUDE_DIR}")
  target_compile_definitions(OnnxRuntime::headers INTERFACE
                             WEIR_ONNXRUNTIME_LIBRARY="${OnnxRuntime_LIBRARY}")
endif()
mark_as_advanced(OnnxRuntime_INCLUDE_DIR OnnxRuntime_LIBRARY)
