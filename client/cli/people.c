#include "client/cli/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct person *people_find(const struct people *people, const char *name)
{
    for (size_t i = 0; i < people->count; i++) {
        if (strcmp(people->list[i]->name, name) == 0) {
            return people->list[i];
        }
    }
    return NULL;
}

struct person *people_get(struct people *people, const char *name)
{
    struct person *person = people_find(people, name);
    if (person != NULL) {
        return person;
    }
    struct person **list = realloc(people->list, (people->count + 1) * sizeof(struct person *));
    if (list == NULL) {
        return NULL;
    }
    people->list = list;
    person = calloc(1, sizeof *person);
    if (person == NULL) {
        return NULL;
    }
    (void)snprintf(person->name, sizeof person->name, "%s", name);
    people->list[people->count++] = person;
    return person;
}

void people_free(struct people *people)
{
    for (size_t i = 0; i < people->count; i++) {
        free(people->list[i]);
    }
    free(people->list);
    people->list = NULL;
    people->count = 0;
}
