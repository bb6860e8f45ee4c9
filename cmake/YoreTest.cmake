# Tests. Labels:
#   fast     seconds; `ctest -L fast` is the inner loop
#   slow     the long runs (10^6 operations or states); release build only
#   thread   also built with ThreadSanitizer and run there
#   planted  only in the planted-bug build
#   plain    not with a sanitizer, under which it would take minutes
#   tools    checks of the tree, not of the code; release build only

set(YORE_TEST_ENVIRONMENT
  "YORE_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
  "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:strict_string_checks=1:detect_stack_use_after_return=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")

# Is a test with these labels part of this build?
function(yore_test_wanted labels out)
  set(wanted TRUE)
  if("planted" IN_LIST labels AND NOT YORE_PLANTED_BUGS)
    set(wanted FALSE)
  elseif(NOT "planted" IN_LIST labels AND YORE_PLANTED_BUGS)
    set(wanted FALSE)
  elseif(YORE_SANITIZE MATCHES "thread" AND NOT "thread" IN_LIST labels)
    set(wanted FALSE)
  elseif(YORE_SANITIZE AND labels MATCHES "slow|tools|plain")
    set(wanted FALSE)
  endif()
  set(${out} ${wanted} PARENT_SCOPE)
endfunction()

# A C test: an executable over the internal libraries, cmocka and tests/support.
#   yore_test(NAME test_art SOURCES test_art.c LABELS fast [LIBRARIES x] [ARGS a] [TIMEOUT 600] [SERIAL])
# or another run of one that is built already:
#   yore_test(NAME test_art_million PROGRAM test_art LABELS slow ARGS 1000000)
function(yore_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "SERIAL" "NAME;PROGRAM;TIMEOUT" "SOURCES;LABELS;LIBRARIES;ARGS")
  yore_test_wanted("${arg_LABELS}" wanted)
  if(NOT wanted)
    return()
  endif()
  if(NOT arg_PROGRAM)
    set(arg_PROGRAM ${arg_NAME})
    set(support)
    if(TARGET yr_test_support)
      set(support yr_test_support)
    endif()
    yore_executable(NAME ${arg_NAME} SOURCES ${arg_SOURCES}
      LIBRARIES ${support} ${arg_LIBRARIES} PkgConfig::CMOCKA PkgConfig::XXHASH Threads::Threads)
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${arg_PROGRAM} ${arg_ARGS})
  yore_test_properties(${arg_NAME} "${arg_LABELS}" "${arg_TIMEOUT}" "${arg_SERIAL}")
endfunction()

# A test that is a command: yore_test_command(NAME x COMMAND ... LABELS fast [TIMEOUT s] [SERIAL] [NEEDS_CLI])
# It finds the built programs in YORE_BUILD_DIR and the command itself as YORE_BIN.
function(yore_test_command)
  cmake_parse_arguments(PARSE_ARGV 0 arg "SERIAL;NEEDS_CLI" "NAME;TIMEOUT" "COMMAND;LABELS")
  yore_test_wanted("${arg_LABELS}" wanted)
  if(NOT wanted OR (arg_NEEDS_CLI AND NOT TARGET yore_cli))
    return()
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  yore_test_properties(${arg_NAME} "${arg_LABELS}" "${arg_TIMEOUT}" "${arg_SERIAL}")
  if(TARGET yore_cli)
    set_property(TEST ${arg_NAME} APPEND PROPERTY ENVIRONMENT "YORE_BIN=$<TARGET_FILE:yore_cli>")
  endif()
endfunction()

function(yore_test_properties name labels timeout serial)
  if(NOT timeout)
    set(timeout 600)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout}
    ENVIRONMENT "${YORE_TEST_ENVIRONMENT};YORE_BUILD_DIR=${PROJECT_BINARY_DIR}")
  if(serial)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

# A library of helpers for tests: yore_test_library(NAME yr_test_support SOURCES ...)
function(yore_test_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBRARIES")
  add_library(${arg_NAME} STATIC ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PUBLIC yore_flags ${arg_LIBRARIES} PkgConfig::CMOCKA PkgConfig::XXHASH yore_static)
  yore_own_target(${arg_NAME})
endfunction()
