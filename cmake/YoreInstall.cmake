# What `cmake --install` puts where. yore.pc and yoreConfig.cmake name no absolute path, so the installed
# tree may be moved.
include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development FILES_MATCHING PATTERN "*.h")
install(TARGETS yore_static yore_shared EXPORT yoreTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
if(TARGET yore_cli)
  install(TARGETS yore_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()
# The command writes its own man page and completions, so a cross build goes without.
if(TARGET yore_cli AND NOT CMAKE_CROSSCOMPILING)
  set(share "${PROJECT_BINARY_DIR}/share")
  file(MAKE_DIRECTORY "${share}")
  add_custom_command(OUTPUT "${share}/yore.1"
    COMMAND yore_cli help --man > "${share}/yore.1"
    COMMAND yore_cli completion bash > "${share}/yore.bash"
    COMMAND yore_cli completion zsh > "${share}/_yore"
    COMMAND yore_cli completion fish > "${share}/yore.fish"
    DEPENDS yore_cli VERBATIM)
  add_custom_target(yore_share ALL DEPENDS "${share}/yore.1")
  install(FILES "${share}/yore.1" DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
  install(FILES "${share}/yore.bash" DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME yore COMPONENT runtime)
  install(FILES "${share}/_yore" DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT runtime)
  install(FILES "${share}/yore.fish" DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
    COMPONENT runtime)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/yore)
install(EXPORT yoreTargets NAMESPACE yore:: DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/yoreConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/yoreConfig.cmake" INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/yoreConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/yoreConfig.cmake" "${PROJECT_BINARY_DIR}/yoreConfigVersion.cmake"
  DESTINATION ${package_dir} COMPONENT development)

# ${pcfiledir}/../.. climbs from lib[/triplet]/pkgconfig to the prefix.
file(RELATIVE_PATH YORE_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" YORE_PC_UP "${YORE_PC_UP}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/yore.pc.in" "${PROJECT_BINARY_DIR}/yore.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/yore.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
