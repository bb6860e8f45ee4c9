/* The simulated disk from the outside: what a test does to it behind the back of the code under test. */
#include <stdio.h>
#include <string.h>

#include "tests/support/env_sim_private.h"

static uint32_t node_at_path(const yr_sim *sim, const char *path)
{
    char name[YR_SIM_NAME_MAX + 1];
    uint32_t dir;
    if (yr_sim_walk(&sim->image, path, &dir, name) != 0) return YR_SIM_NONE;
    return name[0] ? yr_sim_image_find(&sim->image, dir, name) : YR_SIM_ROOT;
}

static uint32_t file_at_path(const yr_sim *sim, const char *path)
{
    uint32_t ino = node_at_path(sim, path);
    return ino != YR_SIM_NONE && sim->image.nodes[ino]->is_dir ? YR_SIM_NONE : ino;
}

int64_t yr_sim_file_size(const yr_sim *sim, const char *path)
{
    uint32_t ino = file_at_path(sim, path);
    return ino == YR_SIM_NONE ? -1 : (int64_t)yr_sim_image_size(&sim->image, ino);
}

bool yr_sim_file_read(const yr_sim *sim, const char *path, void *to, size_t size, uint64_t off)
{
    uint32_t ino = file_at_path(sim, path);
    if (ino == YR_SIM_NONE) return false;
    yr_sim_image_read(&sim->image, ino, to, size, off);
    return true;
}

bool yr_sim_file_write(yr_sim *sim, const char *path, const void *from, size_t size, uint64_t off)
{
    uint32_t ino = file_at_path(sim, path);
    if (ino == YR_SIM_NONE) return false;
    if (off + size > yr_sim_image_size(&sim->image, ino)) yr_sim_resize(sim, ino, off + size);
    yr_sim_image_write(&sim->image, ino, from, size, off);
    return true;
}

bool yr_sim_file_truncate(yr_sim *sim, const char *path, uint64_t size)
{
    uint32_t ino = file_at_path(sim, path);
    if (ino == YR_SIM_NONE) return false;
    yr_sim_resize(sim, ino, size);
    return true;
}

bool yr_sim_file_flip(yr_sim *sim, const char *path, uint64_t bit)
{
    uint8_t byte;
    if (!yr_sim_file_read(sim, path, &byte, 1, bit / 8)) return false;
    byte = (uint8_t)(byte ^ 1u << bit % 8);
    return yr_sim_file_write(sim, path, &byte, 1, bit / 8);
}

bool yr_sim_file_zero(yr_sim *sim, const char *path, uint64_t off, uint64_t size)
{
    static const uint8_t zeros[512];
    for (uint64_t part; size > 0; off += part, size -= part) {
        part = size < sizeof zeros ? size : sizeof zeros;
        if (!yr_sim_file_write(sim, path, zeros, (size_t)part, off)) return false;
    }
    return true;
}

bool yr_sim_file_create(yr_sim *sim, const char *path)
{
    char at[256];
    snprintf(at, sizeof at, "%s", path);
    char *slash = strrchr(at, '/');
    if (slash && slash != at) {
        *slash = '\0';
        if (node_at_path(sim, at) == YR_SIM_NONE) {
            char above[YR_SIM_NAME_MAX + 1];
            uint32_t dir;
            if (yr_sim_walk(&sim->image, at, &dir, above) != 0) return false;
            yr_sim_image_link(&sim->image, dir, above, yr_sim_image_add(&sim->image, true));
        }
    }
    char name[YR_SIM_NAME_MAX + 1];
    uint32_t dir;
    if (yr_sim_walk(&sim->image, path, &dir, name) != 0 || !name[0]) return false;
    if (yr_sim_image_find(&sim->image, dir, name) != YR_SIM_NONE) return false;
    yr_sim_image_link(&sim->image, dir, name, yr_sim_image_add(&sim->image, false));
    return true;
}

bool yr_sim_file_remove(yr_sim *sim, const char *path)
{
    char name[YR_SIM_NAME_MAX + 1];
    uint32_t dir;
    uint32_t ino = file_at_path(sim, path);
    if (ino == YR_SIM_NONE || yr_sim_walk(&sim->image, path, &dir, name) != 0) return false;
    yr_sim_image_unlink(&sim->image, dir, name);
    yr_sim_name_gone(sim, ino);
    return true;
}

bool yr_sim_file_rename(yr_sim *sim, const char *from, const char *to)
{
    char name[YR_SIM_NAME_MAX + 1];
    uint32_t dir;
    uint32_t ino = file_at_path(sim, from);
    if (ino == YR_SIM_NONE || yr_sim_walk(&sim->image, from, &dir, name) != 0) return false;
    yr_sim_image_unlink(&sim->image, dir, name);
    uint32_t replaced = file_at_path(sim, to);
    if (yr_sim_walk(&sim->image, to, &dir, name) != 0 || !name[0]) return false;
    yr_sim_image_link(&sim->image, dir, name, ino);
    if (replaced != YR_SIM_NONE && replaced != ino) yr_sim_name_gone(sim, replaced);
    return true;
}

const char *yr_sim_dir_name(const yr_sim *sim, const char *dir, uint32_t index)
{
    uint32_t ino = node_at_path(sim, dir);
    if (ino == YR_SIM_NONE || !sim->image.nodes[ino]->is_dir) return NULL;
    const yr_sim_node *node = sim->image.nodes[ino];
    return index < node->entry_count ? node->entries[index].name : NULL;
}
