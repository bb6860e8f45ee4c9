/* Words for what yore_stats says in numbers. */
#ifndef YORE_CLI_STATS_H
#define YORE_CLI_STATS_H

#include <stdint.h>

/* "commit", "group", "os", "none". */
const char *cli_sync_name(uint32_t sync);

#endif
