#include "client/cli/clock_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool local_of(uint64_t time, struct tm *local)
{
    time_t seconds = (time_t)(time / 1000);
    return localtime_r(&seconds, local) != NULL;
}

const char *clock_text_time(uint64_t time, char *text)
{
    struct tm local;
    if (!local_of(time, &local) || strftime(text, CLOCK_TEXT_ROOM, "%H:%M:%S", &local) == 0) {
        (void)snprintf(text, CLOCK_TEXT_ROOM, "?");
    }
    return text;
}

const char *clock_text_date(uint64_t time, char *text)
{
    struct tm local;
    if (!local_of(time, &local) || strftime(text, CLOCK_TEXT_ROOM, "%Y-%m-%d %H:%M:%S", &local) == 0) {
        (void)snprintf(text, CLOCK_TEXT_ROOM, "?");
    }
    return text;
}

const char *clock_text_rfc3339(uint64_t time, char *text)
{
    time_t seconds = (time_t)(time / 1000);
    struct tm utc;
    char date[24];
    if (gmtime_r(&seconds, &utc) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        (void)snprintf(text, CLOCK_TEXT_ROOM, "?");
        return text;
    }
    (void)snprintf(text, CLOCK_TEXT_ROOM, "%s.%03uZ", date, (unsigned)(time % 1000));
    return text;
}
