# What search makes words and terms with: libunistring (word properties), utf8proc (folding), libstemmer. The first and
# the last come without a pkg-config file. An installed yore names them as -lX, not as the files found here.
pkg_check_modules(UTF8PROC REQUIRED libutf8proc)
find_path(UNISTRING_INCLUDE_DIR uniwbrk.h)
find_library(UNISTRING_LIBRARY unistring)
find_path(STEMMER_INCLUDE_DIR libstemmer.h)
find_library(STEMMER_LIBRARY stemmer)
foreach(found UNISTRING_INCLUDE_DIR UNISTRING_LIBRARY STEMMER_INCLUDE_DIR STEMMER_LIBRARY)
  if(NOT ${found})
    message(FATAL_ERROR "yore needs libunistring and libstemmer with their headers (${found} is missing; "
      "Debian: libunistring-dev, libstemmer-dev)")
  endif()
endforeach()
set(YORE_TEXT_INCLUDE_DIRS ${UNISTRING_INCLUDE_DIR} ${STEMMER_INCLUDE_DIR} ${UTF8PROC_INCLUDE_DIRS})
set(YORE_TEXT_LIBRARIES
  $<BUILD_INTERFACE:${STEMMER_LIBRARY}> $<INSTALL_INTERFACE:stemmer>
  $<BUILD_INTERFACE:${UTF8PROC_LINK_LIBRARIES}> $<INSTALL_INTERFACE:utf8proc>
  $<BUILD_INTERFACE:${UNISTRING_LIBRARY}> $<INSTALL_INTERFACE:unistring>)
