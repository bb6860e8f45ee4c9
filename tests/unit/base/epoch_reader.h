/* A thread that enters and leaves read sections exactly when told. */
#ifndef YR_EPOCH_READER_H
#define YR_EPOCH_READER_H

#include <pthread.h>
#include <semaphore.h>

typedef struct epoch_reader {
    pthread_t thread;
    sem_t told;
    sem_t done;
    char order; /* written before told, read after it */
} epoch_reader;

void epoch_reader_start(epoch_reader *reader);
void epoch_reader_enter(epoch_reader *reader);
void epoch_reader_exit(epoch_reader *reader);
void epoch_reader_stop(epoch_reader *reader);

#endif
