# Finds the C header of ONNX Runtime: a system one first, else the pinned one under WEIR_DEPS_DIR.
# Defines OnnxRuntime::headers. The library itself is loaded at run time (src/model/onnx_library.cc);
# OnnxRuntime_LIBRARY is only the path that is tried after the system's own.
find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_c_api.h HINTS "${WEIR_DEPS_DIR}/onnxruntime/include" PATH_SUFFIXES onnxruntime)
find_library(OnnxRuntime_LIBRARY onnxruntime HINTS "${WEIR_DEPS_DIR}/onnxruntime/lib")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntime REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR)
if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::headers)
  add_library(OnnxRuntime::headers INTERFACE IMPORTED)
  target_include_directories(OnnxRuntime::headers SYSTEM INTERFACE "${OnnxRuntime_INCLUDE_DIR}")
  target_compile_definitions(OnnxRuntime::headers INTERFACE WEIR_ONNXRUNTIME_LIBRARY="${OnnxRuntime_LIBRARY}")
endif()
mark_as_advanced(OnnxRuntime_INCLUDE_DIR OnnxRuntime_LIBRARY)
