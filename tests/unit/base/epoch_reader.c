#include "tests/unit/base/epoch_reader.h"

#include <stddef.h>

#include "engine/base/epoch.h"
#include "engine/base/yr_assert.h"

static void *reader_main(void *arg)
{
    epoch_reader *reader = arg;
    for (char order = '?'; order != 's';) {
        while (sem_wait(&reader->told) != 0) continue; /* a signal */
        order = reader->order;
        if (order == 'e') yr_epoch_enter();
        if (order == 'x') yr_epoch_exit();
        sem_post(&reader->done);
    }
    return NULL;
}

static void tell(epoch_reader *reader, char order)
{
    reader->order = order;
    sem_post(&reader->told);
    while (sem_wait(&reader->done) != 0) continue;
}

void epoch_reader_start(epoch_reader *reader)
{
    sem_init(&reader->told, 0, 0);
    sem_init(&reader->done, 0, 0);
    int failed = pthread_create(&reader->thread, NULL, reader_main, reader);
    YR_ASSERT(!failed);
}

void epoch_reader_enter(epoch_reader *reader)
{
    tell(reader, 'e');
}

void epoch_reader_exit(epoch_reader *reader)
{
    tell(reader, 'x');
}

void epoch_reader_stop(epoch_reader *reader)
{
    tell(reader, 's');
    pthread_join(reader->thread, NULL);
    sem_destroy(&reader->told);
    sem_destroy(&reader->done);
}
