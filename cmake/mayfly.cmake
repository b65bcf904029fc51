# What every target here shares: warnings (as errors, but in a distribution's build), sanitizers, the include root.
add_library(mayfly_options INTERFACE)
target_include_directories(mayfly_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(mayfly_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wno-sign-conversion -fno-omit-frame-pointer)
if(MAYFLY_WERROR)
  target_compile_options(mayfly_options INTERFACE -Werror)
endif()
target_compile_definitions(mayfly_options INTERFACE MAYFLY_VERSION="${PROJECT_VERSION}" _FILE_OFFSET_BITS=64)
if(MAYFLY_SANITIZE)
  # g++ 12 warns of array bounds in code that the sanitizers' own checks made opaque to it.
  target_compile_options(mayfly_options INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-maybe-uninitialized)
endif()
if(MAYFLY_SANITIZE STREQUAL "address")
  target_compile_options(mayfly_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(mayfly_options INTERFACE -fsanitize=address,undefined)
elseif(MAYFLY_SANITIZE STREQUAL "thread")
  target_compile_options(mayfly_options INTERFACE -fsanitize=thread)
  target_link_options(mayfly_options INTERFACE -fsanitize=thread)
endif()

# Debug builds are not optimised, which halves their compile time; but what tests run a million times is.
function(mayfly_optimize)
  foreach(name ${ARGN})
    target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O1>)
  endforeach()
endfunction()

# One translation unit for each of these libraries, in every build: what every record goes through is
# spread over their files, and is to be inlined across them.
function(mayfly_as_one_unit)
  set_target_properties(${ARGN} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
endfunction()

# mayfly_library(NAME SOURCES ... DEPS ...): a static library of one folder.
function(mayfly_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC mayfly_options ${ARG_DEPS})
endfunction()

# mayfly_program(NAME SOURCES ... DEPS ...): an executable in build/<preset>/bin.
function(mayfly_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE mayfly_options ${ARG_DEPS})
endfunction()

# How many times longer than usual a test may take, in builds that are slow on purpose.
set(MAYFLY_PATIENCE 1 CACHE STRING "a factor")

# mayfly_test(NAME SOURCES ... DEPS ... [LABELS ...] [TIMEOUT s]): a GoogleTest program, one ctest entry.
function(mayfly_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE mayfly_options ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main Threads::Threads)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * ${MAYFLY_PATIENCE}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
