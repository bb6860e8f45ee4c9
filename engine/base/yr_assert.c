/* The end of the road for a broken promise of our own: say which one, then stop before damage spreads. */
#include "engine/base/yr_assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void yr_assert_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "yore: internal error: %s does not hold (%s:%d)\n", what, file, line);
    abort();
}
