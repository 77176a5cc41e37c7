/* Formats of files with users, and dates as they stand in them. */
#include "kdc/admin/user.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define SECONDS_MAX 253402300799 /* the last of the year 9999 */

static const struct {
    const char *name;
    const char *ending; /* of a file's name */
    enum user_format format;
} formats[] = {
    { "csv", ".csv", FORMAT_CSV },
    { "jsonl", ".jsonl", FORMAT_JSONL },
    { "", ".ndjson", FORMAT_JSONL },
    { "htpasswd", "htpasswd", FORMAT_HTPASSWD },
};

enum user_format user_format_choose(const char *name, const char *path)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const size_t len = strlen(path);
        const size_t ending = strlen(formats[i].ending);
        if (name != NULL ? name[0] != '\0' && strcmp(name, formats[i].name) == 0
                         : len >= ending && strcasecmp(path + len - ending, formats[i].ending) == 0)
            return formats[i].format;
    }
    return FORMAT_NONE;
}

/* `count` digits at *text, which it passes; -1: they aren't there. */
static int number_take(const char **text, unsigned count)
{
    int number = 0;
    while (count-- > 0) {
        if (**text < '0' || **text > '9')
            return -1;
        number = 10 * number + *(*text)++ - '0';
    }
    return number;
}

/* Whether `character` stands there; it is passed then. */
static bool character_take(const char **text, char character)
{
    if (**text != character)
        return false;
    (*text)++;
    return true;
}

/* Behind the hour: minutes, and perhaps seconds and a fraction. 0 or -1. */
static int minutes_take(const char **at, struct tm *utc, unsigned *ms)
{
    if (!character_take(at, ':') || (utc->tm_min = number_take(at, 2)) < 0)
        return -1;
    if (!character_take(at, ':'))
        return 0;
    if ((utc->tm_sec = number_take(at, 2)) < 0 || (**at == '.' && ((*at)[1] < '0' || (*at)[1] > '9')))
        return -1;
    if (character_take(at, '.')) {
        unsigned worth = 100;
        for (; **at >= '0' && **at <= '9'; worth /= 10)
            *ms += worth * (unsigned)(*(*at)++ - '0');
    }
    return 0;
}

/* Z, +01:00, +0100 or nothing; *seconds east of Greenwich. 0 or -1. */
static int zone_take(const char **at, long *seconds)
{
    const int sign = **at == '+' ? 1 : -1;
    *seconds = 0;
    if (**at == '\0' || character_take(at, 'Z'))
        return 0;
    if (!character_take(at, '+') && !character_take(at, '-'))
        return -1;
    const int hours = number_take(at, 2);
    (void)character_take(at, ':');
    const int minutes = hours < 0 ? -1 : number_take(at, 2);
    if (hours > 23 || minutes < 0 || minutes > 59)
        return -1;
    *seconds = sign * (hours * 3600L + minutes * 60L);
    return 0;
}

int time_parse(const char *text, uint64_t *ms)
{
    const char *at = text;
    struct tm utc = { 0 };
    unsigned fraction = 0;
    long zone = 0;
    const int year = number_take(&at, 4);
    if (year < 1970 || !character_take(&at, '-') || (utc.tm_mon = number_take(&at, 2) - 1) < 0 ||
        !character_take(&at, '-') || (utc.tm_mday = number_take(&at, 2)) < 1)
        return -1;
    utc.tm_year = year - 1900;
    if ((character_take(&at, 'T') || character_take(&at, ' ')) &&
        ((utc.tm_hour = number_take(&at, 2)) < 0 || minutes_take(&at, &utc, &fraction) != 0 ||
         zone_take(&at, &zone) != 0))
        return -1;
    if (*at != '\0')
        return -1;
    struct tm same = utc;
    const time_t seconds = timegm(&same);
    /* A day or hour that isn't there would have become another one. */
    if (same.tm_mon != utc.tm_mon || same.tm_mday != utc.tm_mday || same.tm_hour != utc.tm_hour ||
        same.tm_min != utc.tm_min || same.tm_sec != utc.tm_sec || seconds < zone || seconds - zone > SECONDS_MAX)
        return -1;
    *ms = (uint64_t)(seconds - zone) * 1000 + fraction;
    return 0;
}
