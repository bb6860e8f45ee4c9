# What cold segments are compressed with (Debian: libzstd-dev). An installed yore names it as -lzstd, not as the file
# found here.
pkg_check_modules(ZSTD REQUIRED libzstd>=1.5.0)
set(YORE_ZSTD_LIBRARIES $<BUILD_INTERFACE:${ZSTD_LINK_LIBRARIES}> $<INSTALL_INTERFACE:zstd>)
