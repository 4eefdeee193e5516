# One module of Weir = one folder under src/ = one static library + one unit test program.
#
#   weir_module(NAME DEPENDS lower modules… [LINK third-party targets…] [TEST_LINK targets…])
#
# Sources are src/NAME/*.cc; files ending in _test.cc make the test program weir_NAME_test.
# DEPENDS must name modules that are already defined, so the order of the lines in
# src/CMakeLists.txt is the layer diagram and an upward edge stops the configuration.
define_property(GLOBAL PROPERTY WEIR_MODULES BRIEF_DOCS "Modules defined so far, lowest first")

function(weir_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK;TEST_LINK" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weir_module(${name}): unknown argument ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  get_property(lower GLOBAL PROPERTY WEIR_MODULES)
  foreach(dependency IN LISTS ARG_DEPENDS)
    if(NOT dependency IN_LIST lower)
      message(FATAL_ERROR "${name} may not depend on ${dependency}: it is not a lower layer")
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY WEIR_MODULES ${name})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc"
       "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*/*.cc")
  if(NOT sources)
    return()  # A module exists only once it has content.
  endif()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cc$")

  add_library(weir_${name} STATIC ${sources})
  target_include_directories(weir_${name} PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
  set(libraries "")
  foreach(dependency IN LISTS ARG_DEPENDS)
    if(TARGET weir_${dependency})
      list(APPEND libraries weir_${dependency})
    endif()
  endforeach()
  target_link_libraries(weir_${name} PUBLIC weir_options tl::expected fmt::fmt ${libraries} PRIVATE ${ARG_LINK})
  set_target_properties(weir_${name} PROPERTIES LINKER_LANGUAGE CXX)

  if(tests AND WEIR_TESTS)
    add_executable(weir_${name}_test ${tests})
    target_link_libraries(weir_${name}_test PRIVATE weir_${name} ${ARG_LINK} ${ARG_TEST_LINK}
                          GTest::gmock GTest::gtest_main)
    target_compile_definitions(weir_${name}_test PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND weir_${name}_test)
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
  endif()

  # The tidy test reads the declared edges from here.
  list(JOIN ARG_DEPENDS " " edges)
  file(APPEND "${CMAKE_BINARY_DIR}/modules.txt" "${name}: ${edges}\n")
endfunction()

# Programs that look at the whole (fuzz targets, benchmarks, tests/) may use every module there is.
function(weir_link_modules target)
  get_property(modules GLOBAL PROPERTY WEIR_MODULES)
  foreach(module IN LISTS modules)
    if(TARGET weir_${module})
      target_link_libraries(${target} PRIVATE weir_${module})
    endif()
  endforeach()
  target_link_libraries(${target} PRIVATE weir_options)
  target_compile_definitions(${target} PRIVATE WEIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endfunction()
