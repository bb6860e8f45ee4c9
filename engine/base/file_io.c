#include "engine/base/file_io.h"

#include <errno.h>

#include "engine/base/yr_assert.h"

bool yr_errno_is_full(int rc)
{
    return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG;
}

int yr_file_write_all(const yore_env *env, yore_file *file, const void *from, size_t size, uint64_t off)
{
    const uint8_t *p = from;
    while (size > 0) {
        int64_t n = env->pwrite(env->ctx, file, p, size, off);
        if (n == -EINTR) continue;
        if (n < 0) return (int)n;
        if (n == 0) return -ENOSPC; /* the device takes no more and does not say why */
        YR_ASSERT((uint64_t)n <= size);
        p += n;
        off += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

int64_t yr_file_read_all(const yore_env *env, yore_file *file, void *to, size_t size, uint64_t off)
{
    uint8_t *p = to;
    size_t done = 0;
    while (done < size) {
        int64_t n = env->pread(env->ctx, file, p + done, size - done, off + done);
        if (n == -EINTR) continue;
        if (n < 0) return n;
        if (n == 0) break;
        YR_ASSERT((uint64_t)n <= size - done);
        done += (size_t)n;
    }
    return (int64_t)done;
}
