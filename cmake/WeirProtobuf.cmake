# weir_protobuf(TARGET files.proto…): a static library of the C++ classes of these messages and, for
# the clients in tests and benchmarks, of the stubs of their services. All files lie in one folder
# and import each other from there.
function(weir_protobuf target)
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  file(MAKE_DIRECTORY "${output}")
  set(sources "")
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" OUTPUT_VARIABLE paths)
  foreach(file IN LISTS ARGN)
    get_filename_component(path "${CMAKE_CURRENT_SOURCE_DIR}/${file}" ABSOLUTE)
    get_filename_component(folder "${path}" DIRECTORY)
    get_filename_component(name "${path}" NAME_WE)
    set(made "${output}/${name}.pb.cc" "${output}/${name}.grpc.pb.cc")
    add_custom_command(
      OUTPUT ${made} "${output}/${name}.pb.h" "${output}/${name}.grpc.pb.h"
      COMMAND protobuf::protoc "--proto_path=${folder}" "--cpp_out=${output}"
              "--grpc_out=${output}" "--plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>"
              "${path}"
      DEPENDS ${paths}
      COMMENT "Generating ${name}" VERBATIM)
    list(APPEND sources ${made})
  endforeach()
  add_library(${target} STATIC ${sources})
  # Generated code keeps to rules of its own: no warnings of ours, neither here nor where it is used.
  target_include_directories(${target} SYSTEM PUBLIC "${output}")
  target_link_libraries(${target} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
  if(WEIR_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer)
  endif()
endfunction()
