#include "kdc/job_queue.h"

#include "crypto/rng.h"

#include <stdlib.h>

struct job_line {
    LIST_ENTRY(job_line) in_bucket;
    LIST_ENTRY(job_line) of_len;
    TAILQ_ENTRY(job_line) turn;
    TAILQ_HEAD(job_list, job) jobs; /* oldest first */
    size_t len;
    struct admission_source source;
};

int job_queue_init(struct job_queue *queue, size_t max)
{
    *queue = (struct job_queue){ .max = max, .room = max + 1 };
    TAILQ_INIT(&queue->turns);
    queue->of_len = calloc(queue->room, sizeof *queue->of_len);
    if (queue->of_len == NULL || rng_fill(&rng_system, (uint8_t *)&queue->seed, sizeof queue->seed) != 0) {
        return -1;
    }
    return 0;
}

void job_queue_clear(struct job_queue *queue)
{
    while (queue->of_len != NULL && !LIST_EMPTY(&queue->of_len[0])) {
        struct job_line *line = LIST_FIRST(&queue->of_len[0]);
        LIST_REMOVE(line, of_len);
        free(line);
    }
    free(queue->of_len);
    queue->of_len = NULL;
}

int job_queue_resize(struct job_queue *queue, size_t max)
{
    if (max >= queue->room) {
        struct job_lines *wider = calloc(max + 1, sizeof *wider);
        if (wider == NULL) {
            return -1;
        }
        for (size_t len = 0; len < queue->room; len++) {
            struct job_line *first = LIST_FIRST(&queue->of_len[len]);
            if (first != NULL) {
                wider[len].lh_first = first;
                first->of_len.le_prev = &wider[len].lh_first;
            }
        }
        free(queue->of_len);
        queue->of_len = wider;
        queue->room = max + 1;
    }
    queue->max = max;
    return 0;
}

static struct job_lines *bucket_of(struct job_queue *queue, const struct admission_source *source)
{
    return &queue->buckets[admission_source_hash(source, queue->seed) % JOB_QUEUE_BUCKETS];
}

static struct job_line *find(struct job_queue *queue, const struct admission_source *source)
{
    struct job_line *line = LIST_FIRST(bucket_of(queue, source));
    while (line != NULL && !admission_source_equal(&line->source, source)) {
        line = LIST_NEXT(line, in_bucket);
    }
    return line;
}

/* NULL when memory is out. */
static struct job_line *add_line(struct job_queue *queue, const struct admission_source *source)
{
    struct job_line *line = LIST_FIRST(&queue->of_len[0]);
    if (line == NULL) {
        line = calloc(1, sizeof *line);
        if (line == NULL) {
            return NULL;
        }
        LIST_INSERT_HEAD(&queue->of_len[0], line, of_len);
    }
    line->source = *source;
    TAILQ_INIT(&line->jobs);
    LIST_INSERT_HEAD(bucket_of(queue, source), line, in_bucket);
    TAILQ_INSERT_TAIL(&queue->turns, line, turn);
    return line;
}

static void set_len(struct job_queue *queue, struct job_line *line, size_t len)
{
    LIST_REMOVE(line, of_len);
    LIST_INSERT_HEAD(&queue->of_len[len], line, of_len);
    line->len = len;
    if (len > queue->longest) {
        queue->longest = len;
    } else if (LIST_EMPTY(&queue->of_len[queue->longest])) {
        queue->longest--; /* this line was the only one as long; it is one shorter now */
    }
}

void job_queue_remove(struct job_queue *queue, struct job *job)
{
    struct job_line *line = job->line;
    TAILQ_REMOVE(&line->jobs, job, waiting);
    job->line = NULL;
    queue->len--;
    set_len(queue, line, line->len - 1);
    if (line->len == 0) {
        LIST_REMOVE(line, in_bucket);
        TAILQ_REMOVE(&queue->turns, line, turn);
    }
}

int job_queue_put(struct job_queue *queue, struct job *job, struct job **displaced)
{
    struct job_line *line = find(queue, &job->source);
    *displaced = NULL;
    if (queue->len >= queue->max) {
        const size_t becomes = line != NULL ? line->len + 1 : 1;
        if (queue->longest <= becomes) {
            return -1;
        }
        *displaced = TAILQ_LAST(&LIST_FIRST(&queue->of_len[queue->longest])->jobs, job_list);
    }
    if (line == NULL && (line = add_line(queue, &job->source)) == NULL) {
        *displaced = NULL;
        return -1;
    }
    if (*displaced != NULL) {
        job_queue_remove(queue, *displaced);
    }
    TAILQ_INSERT_TAIL(&line->jobs, job, waiting);
    job->line = line;
    queue->len++;
    set_len(queue, line, line->len + 1);
    return 0;
}

struct job *job_queue_behind(const struct job_queue *queue, const struct job *job)
{
    struct job *next = job != NULL ? TAILQ_NEXT(job, waiting) : NULL;
    if (next == NULL) {
        const struct job_line *line = job != NULL ? TAILQ_NEXT(job->line, turn) : TAILQ_FIRST(&queue->turns);
        next = line != NULL ? TAILQ_FIRST(&line->jobs) : NULL;
    }
    return next;
}

struct job *job_queue_take(struct job_queue *queue)
{
    struct job_line *line = TAILQ_FIRST(&queue->turns);
    if (line == NULL) {
        return NULL;
    }
    TAILQ_REMOVE(&queue->turns, line, turn);
    TAILQ_INSERT_TAIL(&queue->turns, line, turn);
    struct job *job = TAILQ_FIRST(&line->jobs);
    job_queue_remove(queue, job);
    return job;
}
