# weir_embed(TARGET SYMBOL FILE): puts a text file into a target as
# `extern const std::string_view SYMBOL`, where SYMBOL is a qualified name such as
# weir::api::openapi_text.
function(weir_embed target symbol file)
  string(REGEX REPLACE "::[^:]*$" "" space "${symbol}")
  string(REGEX REPLACE "^.*::" "" name "${symbol}")
  set(output "${CMAKE_CURRENT_BINARY_DIR}/embed_${name}.cc")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" -DINPUT=${file} -DOUTPUT=${output} -DSPACE=${space} -DNAME=${name}
            -P "${CMAKE_SOURCE_DIR}/cmake/embed.cmake"
    DEPENDS "${file}" "${CMAKE_SOURCE_DIR}/cmake/embed.cmake"
    VERBATIM)
  target_sources(${target} PRIVATE "${output}")
endfunction()
