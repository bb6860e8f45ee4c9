/* The inside of a yr_sim, for env_sim*.c only. */
#ifndef YR_ENV_SIM_PRIVATE_H
#define YR_ENV_SIM_PRIVATE_H

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

/* What is known of a node beside its bytes. */
typedef struct open_node {
    uint32_t opens;
    bool is_unlinked;
    bool was_opened;
    const yore_file *locker;
} open_node;

struct yr_sim {
    yore_env env;
    yr_sim_image image;
    open_node *nodes; /* by number, like image.nodes */
    uint32_t node_count;

    yr_sim_trace trace;
    bool has_trace;
    bool is_tracing;

    yr_sim_fault fault;
    uint64_t fault_seen;
    uint64_t fault_hits;
    uint64_t op_counts[11]; /* by bit of YR_SIM_OP_ */
    uint64_t alloc_count;
    uint64_t alloc_fail_at; /* value of alloc_count, 0 = never */
    bool alloc_fail_sticky;
    uint64_t alloc_fault_hits;

    uint64_t used_bytes;
    uint64_t capacity_bytes;
    int capacity_errno;
    bool is_read_only;
    bool has_map;

    int64_t wall_ns;
    int64_t monotonic_ns;
    int64_t tick_ns;
    int64_t pid;
    yr_rng rng;
    yr_sim_hook hook;
    void *hook_arg;
    bool in_hook;

    yr_sim_leaks out;
    uint64_t peak_bytes;
};

/* Change a file's size, and the space it is charged for. */
void yr_sim_resize(yr_sim *sim, uint32_t ino, uint64_t size);
/* The node lost its name: it goes with its last handle. */
void yr_sim_name_gone(yr_sim *sim, uint32_t ino);
/* Walk all but the last component of `path`; *name is the last one ("" for the root itself). 0 or -errno. */
int yr_sim_walk(const yr_sim_image *image, const char *path, uint32_t *dir, char name[YR_SIM_NAME_MAX + 1]);

#endif
