/* Status codes and the error record every fallible call can fill.
 *
 * `yore_status` is one number: 0 is success, a positive value is an ordinary answer without a message
 * (nothing found, end of a listing, a conflict), a negative value is a failure with a message.
 * `status < 0` is the only failure test. On a positive status outputs are untouched, so test
 * `== YORE_OK` before using them. Codes are never reused or renumbered.
 *
 *     yore_error err = YORE_ERROR_INIT;
 *     if (yore_open("shop.yore", NULL, &db, &err) < 0) {
 *         fprintf(stderr, "%s\n", err.message);
 *     }
 */
#ifndef YORE_STATUS_H
#define YORE_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define YORE_NODISCARD __attribute__((warn_unused_result))
#define YORE_API __attribute__((visibility("default")))
#else
#define YORE_NODISCARD
#define YORE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t yore_status;

/* Answers. */
#define YORE_OK ((yore_status)0)
#define YORE_NOT_FOUND ((yore_status)1) /* the key is absent at this snapshot */
#define YORE_END ((yore_status)2)       /* an iterator has no more rows */
#define YORE_CONFLICT ((yore_status)3)  /* a transaction, cas or precondition lost */
#define YORE_EXISTS ((yore_status)4)    /* put-if-absent met a value */
#define YORE_TIMEOUT ((yore_status)5)   /* a wait ran out of time */

/* Failures. */
#define YORE_ERR_MISUSE ((yore_status)-1)        /* a call the documentation forbids */
#define YORE_ERR_NOMEM ((yore_status)-2)         /* out of memory; nothing was changed */
#define YORE_ERR_IO ((yore_status)-3)            /* the operating system failed a file operation */
#define YORE_ERR_CORRUPT ((yore_status)-4)       /* stored bytes fail their checks */
#define YORE_ERR_FORMAT ((yore_status)-5)        /* made by a newer format of yore */
#define YORE_ERR_FULL ((yore_status)-6)          /* no space or quota left; nothing was changed */
#define YORE_ERR_LOCKED ((yore_status)-7)        /* another writer has the store */
#define YORE_ERR_READONLY ((yore_status)-8)      /* opened read-only, or a read-only file system */
#define YORE_ERR_POISONED ((yore_status)-9)      /* an earlier write failed half way; reopen the store */
#define YORE_ERR_LIMIT ((yore_status)-10)        /* key, value, note ... past its documented limit */
#define YORE_ERR_NO_STORE ((yore_status)-11)     /* nothing at that path */
#define YORE_ERR_NOT_STORE ((yore_status)-12)    /* something else is at that path */
#define YORE_ERR_NO_BRANCH ((yore_status)-13)    /* unknown branch */
#define YORE_ERR_NO_TAG ((yore_status)-14)       /* unknown tag */
#define YORE_ERR_SPEC ((yore_status)-15)         /* a SPEC that is misspelt or ambiguous */
#define YORE_ERR_TIME_RANGE ((yore_status)-16)   /* a version or time in the future */
#define YORE_ERR_TRIMMED ((yore_status)-17)      /* that history is no longer kept */
#define YORE_ERR_NAME ((yore_status)-18)         /* a branch, tag or setting name that is not legal */
#define YORE_ERR_HAS_CHILDREN ((yore_status)-19) /* the branch has children */
#define YORE_ERR_EXISTS ((yore_status)-20)       /* a store, branch or tag of that name exists */
#define YORE_ERR_REFUSED ((yore_status)-21)      /* not allowed as asked (deleting `default`, ...) */
#define YORE_ERR_INPUT ((yore_status)-22)        /* malformed input */
#define YORE_ERR_CANCELLED ((yore_status)-23)    /* a callback asked to stop */
#define YORE_ERR_UNSUPPORTED ((yore_status)-24)  /* this build or file system cannot do it */
#define YORE_ERR_TIME_ORDER ((yore_status)-25)   /* a commit time not later than the last one */
#define YORE_ERR_TYPE ((yore_status)-26)         /* `incr` on a value that is not an integer, ... */
#define YORE_ERR_NOT_DELETED ((yore_status)-27)  /* `recover` of a branch that is not deleted */
#define YORE_ERR_QUERY ((yore_status)-28)        /* a strict search query that does not parse */

/* What went wrong, in words. Caller-owned, optional, always the last argument, written only on failure.
 * A call that fails overwrites all fields; one that succeeds leaves them alone. */
typedef struct yore_error {
    uint32_t struct_size; /* sizeof(yore_error) */
    yore_status code;
    int32_t os_errno;  /* the errno behind the failure, or 0 */
    uint32_t offset;   /* byte position in the text that was refused (SPEC, setting), or 0 */
    uint64_t version;  /* the version the message speaks of, or 0 */
    char message[256]; /* lower case, one line, no full stop: what failed and on what */
    char hint[256];    /* one thing that helps, or empty */
} yore_error;

#define YORE_ERROR_INIT                      \
    {                                        \
        sizeof(yore_error), 0, 0, 0, 0, {0}, \
        {                                    \
            0                                \
        }                                    \
    }

/* The name of a status, as in "CORRUPT" or "NO_BRANCH".
 * Returns a static string, "UNKNOWN" for a number that is no status.
 * Threads any.   Blocks never.   Cost O(1). */
YORE_API const char *yore_status_name(yore_status status);

#ifdef __cplusplus
}
#endif
#endif
