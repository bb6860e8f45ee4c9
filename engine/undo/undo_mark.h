/* What a commit that brings back older states says of itself in its source text: "undo:v12" takes commit v12 back,
 * "redo:v13" takes the undo v13 back. "revert:v9", "reset:v7", "restore:v7" and "cherry-pick:v8" say where their states
 * are from; on the stack of undo they are commits like any other. */
#ifndef YR_UNDO_MARK_H
#define YR_UNDO_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/undo.h>

#define YR_UNDO_MARK_SIZE 40u /* with the NUL */

typedef struct yr_undo_mark {
    uint32_t kind; /* YORE_UNDO_..., 0 = another commit */
    uint64_t version;
} yr_undo_mark;

/* Anything that is not exactly what yr_undo_mark_format writes is another commit. */
yr_undo_mark yr_undo_mark_parse(yore_slice source);
/* Returns the length. */
size_t yr_undo_mark_format(yr_undo_mark mark, char out[YR_UNDO_MARK_SIZE]);

#endif
