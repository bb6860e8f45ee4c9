/* Assertions: our own promises, on in release builds too. Bytes from outside are judged with a status,
 * never asserted. YR_DASSERT is for checks too costly for release. */
#ifndef YR_ASSERT_H
#define YR_ASSERT_H

_Noreturn void yr_assert_fail(const char *what, const char *file, int line);

#define YR_ASSERT(condition) \
    (__builtin_expect(!(condition), 0) ? yr_assert_fail(#condition, __FILE__, __LINE__) : (void)0)

#ifdef NDEBUG
#define YR_DASSERT(condition) ((void)sizeof(!(condition)))
#else
#define YR_DASSERT(condition) YR_ASSERT(condition)
#endif

#define YR_LIKELY(x) __builtin_expect(!!(x), 1)
#define YR_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A buffer that is written before it is read: not worth filling with zeros at every call, as hardened builds do. */
#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define YR_SCRATCH __attribute__((uninitialized))
#endif
#endif
#ifndef YR_SCRATCH
#define YR_SCRATCH
#endif

#endif
