/* The two halves of the operating system's environment: files, and everything else. Private to env_posix*.c. */
#ifndef YR_ENV_POSIX_H
#define YR_ENV_POSIX_H

#include <yore/env.h>

/* Fill the file and directory functions of `env`. */
void yr_env_posix_files(yore_env *env);

#endif
