# What JSON is read with (Debian: libyajl-dev). An installed yore names it as -lyajl, not as the file found here.
pkg_check_modules(YAJL REQUIRED yajl>=2.1)
set(YORE_YAJL_LIBRARIES $<BUILD_INTERFACE:${YAJL_LINK_LIBRARIES}> $<INSTALL_INTERFACE:yajl>)
