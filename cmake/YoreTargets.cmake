# How the folders become targets.

# Add each folder that has a CMakeLists.txt.
function(yore_add_folders)
  foreach(folder IN LISTS ARGN)
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
      add_subdirectory(${folder})
    endif()
  endforeach()
endfunction()

# What all of our targets share.
function(yore_own_target target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 17 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden
    POSITION_INDEPENDENT_CODE ON)
endfunction()

# A layer of the library: an object library yr_<NAME> from an explicit list of sources.
#   yore_layer(NAME wal SOURCES a.c b.c)
function(yore_layer)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES")
  if(NOT arg_NAME OR NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "write it as yore_layer(NAME x SOURCES a.c b.c)")
  endif()
  add_library(yr_${arg_NAME} OBJECT ${arg_SOURCES})
  target_link_libraries(yr_${arg_NAME} PRIVATE yore_flags)
  # Hashing is inlined from the header: nothing to link.
  target_include_directories(yr_${arg_NAME} PRIVATE ${XXHASH_INCLUDE_DIRS})
  yore_own_target(yr_${arg_NAME})
  set_property(GLOBAL APPEND PROPERTY YORE_LAYERS yr_${arg_NAME})
  list(TRANSFORM arg_SOURCES PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  set_property(GLOBAL APPEND PROPERTY YORE_SOURCES ${arg_SOURCES})
endfunction()

# All layers once more, to be optimised across files: a tenth less time in a small commit. Not for the static library,
# whose users may have another compiler, nor for the tests, of which each would take seconds to link.
function(yore_add_whole)
  if(NOT YORE_LTO OR NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" OR YORE_SANITIZE OR
     NOT CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo|MinSizeRel)$")
    return()
  endif()
  get_property(sources GLOBAL PROPERTY YORE_SOURCES)
  add_library(yore_whole OBJECT ${sources})
  target_link_libraries(yore_whole PRIVATE yore_flags)
  target_include_directories(yore_whole PRIVATE ${XXHASH_INCLUDE_DIRS} ${ZSTD_INCLUDE_DIRS} ${YAJL_INCLUDE_DIRS}
    ${YORE_TEXT_INCLUDE_DIRS})
  target_compile_options(yore_whole PRIVATE -flto=auto)
  # The linker compiles, and writes down where.
  target_link_options(yore_whole INTERFACE -flto=auto
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=" "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build")
  yore_own_target(yore_whole)
endfunction()

# An executable of ours: yore_executable(NAME x SOURCES ... LIBRARIES ... [WHOLE])
# WHOLE: with the library optimised across files.
function(yore_executable)
  cmake_parse_arguments(PARSE_ARGV 0 arg "WHOLE" "NAME" "SOURCES;LIBRARIES")
  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE yore_flags ${arg_LIBRARIES})
  if(arg_WHOLE AND TARGET yore_whole)
    target_link_libraries(${arg_NAME} PRIVATE
      yore_whole ${YORE_TEXT_LIBRARIES} ${YORE_ZSTD_LIBRARIES} ${YORE_YAJL_LIBRARIES} m Threads::Threads)
  else()
    target_link_libraries(${arg_NAME} PRIVATE yore_static)
  endif()
  yore_own_target(${arg_NAME})
  target_link_options(${arg_NAME} PRIVATE -pie)
endfunction()

# The static and the shared library out of the layers.
function(yore_add_libraries)
  get_property(layers GLOBAL PROPERTY YORE_LAYERS)
  if(NOT layers)
    message(FATAL_ERROR "yore: no layer has a CMakeLists.txt")
  endif()
  set(objects)
  foreach(layer IN LISTS layers)
    list(APPEND objects $<TARGET_OBJECTS:${layer}>)
  endforeach()

  yore_add_whole()
  add_library(yore_static STATIC ${objects})
  if(TARGET yore_whole)
    add_library(yore_shared SHARED $<TARGET_OBJECTS:yore_whole>)
    target_link_options(yore_shared PRIVATE $<TARGET_PROPERTY:yore_whole,INTERFACE_LINK_OPTIONS>)
  else()
    add_library(yore_shared SHARED ${objects})
  endif()
  foreach(library yore_static yore_shared)
    yore_own_target(${library})
    set_target_properties(${library} PROPERTIES OUTPUT_NAME yore LINKER_LANGUAGE C)
    target_include_directories(${library} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${library} PUBLIC Threads::Threads
      PRIVATE ${YORE_TEXT_LIBRARIES} ${YORE_ZSTD_LIBRARIES} ${YORE_YAJL_LIBRARIES} m)
  endforeach()
  set(map "${PROJECT_SOURCE_DIR}/cmake/yore.map")
  set_target_properties(yore_shared PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    EXPORT_NAME shared LINK_DEPENDS "${map}")
  set_target_properties(yore_static PROPERTIES EXPORT_NAME static)
  target_link_options(yore_shared PRIVATE "LINKER:--version-script=${map}" LINKER:-z,relro,-z,now)
  if(YORE_SANITIZE)
    target_link_options(yore_shared PRIVATE "-fsanitize=${YORE_SANITIZE}")
  else() # sanitizers leave symbols to be found in the executable
    target_link_options(yore_shared PRIVATE LINKER:--no-undefined)
  endif()

  if(BUILD_SHARED_LIBS)
    add_library(yore::yore ALIAS yore_shared)
  else()
    add_library(yore::yore ALIAS yore_static)
  endif()
endfunction()
