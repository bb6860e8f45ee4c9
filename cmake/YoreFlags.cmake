# yore_flags: how every file of ours is compiled. An interface target, so nothing leaks into a project
# that embeds yore.
add_library(yore_flags INTERFACE)
target_compile_features(yore_flags INTERFACE c_std_17)
target_include_directories(yore_flags INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include")

target_compile_options(yore_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wcast-qual -Wvla -Wundef -Wimplicit-fallthrough -Wwrite-strings
  $<$<BOOL:${YORE_WERROR}>:-Werror>
  -fno-omit-frame-pointer
  # The same bytes wherever source and build lie; debug builds keep the paths that debuggers open.
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=>
  $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_BINARY_DIR}=build>)

if(YORE_SANITIZE)
  target_compile_options(yore_flags INTERFACE "-fsanitize=${YORE_SANITIZE}" -fno-sanitize-recover=all -O1)
  target_link_options(yore_flags INTERFACE "-fsanitize=${YORE_SANITIZE}")
elseif(YORE_HARDEN)
  # Fortified functions need optimisation, so the flags stay out of Debug builds.
  set(optimised $<NOT:$<CONFIG:Debug>>)
  target_compile_options(yore_flags INTERFACE
    $<${optimised}:-U_FORTIFY_SOURCE>
    $<${optimised}:-D_FORTIFY_SOURCE=3>
    -fstack-protector-strong -fstack-clash-protection)
  target_link_options(yore_flags INTERFACE -Wl,-z,relro,-z,now)
  include(CheckCCompilerFlag)
  check_c_compiler_flag(-fcf-protection YORE_HAS_CF_PROTECTION)
  check_c_compiler_flag(-ftrivial-auto-var-init=zero YORE_HAS_AUTO_INIT)
  target_compile_options(yore_flags INTERFACE
    $<$<BOOL:${YORE_HAS_CF_PROTECTION}>:-fcf-protection>
    $<$<BOOL:${YORE_HAS_AUTO_INIT}>:-ftrivial-auto-var-init=zero>)
  # Small structs are cleared and copied by vector moves: gcc's default on x86 is `rep stos`, which takes some thirty
  # cycles to begin, and points are read in a few hundred.
  set(small_structs vector_loop:256:noalign,libcall:-1:noalign)
  check_c_compiler_flag("-mmemset-strategy=${small_structs}" YORE_HAS_MEMSET_STRATEGY)
  target_compile_options(yore_flags INTERFACE
    $<$<AND:$<BOOL:${YORE_HAS_MEMSET_STRATEGY}>,${optimised}>:-mmemset-strategy=${small_structs}>
    $<$<AND:$<BOOL:${YORE_HAS_MEMSET_STRATEGY}>,${optimised}>:-mmemcpy-strategy=${small_structs}>)
endif()

if(YORE_FUZZ) # libFuzzer steers by the coverage of all code
  target_compile_options(yore_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(yore_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(YORE_EAGER)
  target_compile_definitions(yore_flags INTERFACE YR_EAGER=${YORE_EAGER}u)
endif()

if(YORE_PLANTED_BUGS)
  target_compile_definitions(yore_flags INTERFACE YORE_PLANTED_BUGS)
endif()
