/* Filling a caller's yore_error. The first failure wins: a helper that fails inside a clean-up passes NULL. */
#ifndef YR_ERROR_H
#define YR_ERROR_H

#include <yore/status.h>

/* Record a failure (or a positive answer that deserves words) and return `code`. `err` may be NULL. */
yore_status yr_fail(yore_error *err, yore_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As yr_fail, with ": <text of the errno>" behind the message. `os_errno` is positive.
 * ENOSPC, EDQUOT and EFBIG turn YORE_ERR_IO into YORE_ERR_FULL, EROFS into YORE_ERR_READONLY, ENOMEM into
 * YORE_ERR_NOMEM. */
yore_status yr_fail_errno(yore_error *err, yore_status code, int os_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Add a hint to a failure just recorded. `err` may be NULL. */
void yr_hint(yore_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
