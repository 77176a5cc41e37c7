#include "tests/bench/load.h"

#include "tests/bench/hogs.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLIENTS 6000
#define FIRST_SOURCE 0x7f010001u /* 127.1.0.1 */
#define NEWCOMERS_PER_S 4.0
#define LOGIN_SHARE 0.02 /* of what comes a second: a client's handshake is work for us, too */
#define HALF_SHARE 0.49
#define TICK_NS UINT64_C(1000000)

struct load_client {
    enum load_kind kind;
    size_t index;
    bool answered;
};

static struct load *load_of(const struct bench_session *s)
{
    return s->pool->context;
}

static struct load_tally *tally_of(const struct bench_session *s)
{
    return &load_of(s)->tallies[((const struct load_client *)s->context)->kind];
}

static void put_back(struct bench_session *s)
{
    struct load *load = load_of(s);
    load->free[load->free_count++] = ((const struct load_client *)s->context)->index;
}

/* ---- what becomes of them ---- */

static void ended(struct bench_session *s)
{
    struct load_tally *tally = tally_of(s);
    const struct load_client *client = s->context;
    if (s->reason == REASON_BUSY) {
        tally->busy++;
        latency_add(&tally->refused_after, clock_ns() - s->began);
    } else if (s->reason != REASON_NONE) {
        tally->word++;
    } else if (!client->answered) {
        tally->no_word++;
    }
    put_back(s);
}

static void served(struct bench_session *s)
{
    struct load_client *client = s->context;
    client->answered = true;
    tally_of(s)->served++;
    latency_add(&tally_of(s)->served_after, clock_ns() - s->began);
}

static void on_frame(struct bench_session *s, struct bytes frame)
{
    struct alert alert;
    if (frame_get_alert(frame, &alert) == 0) {
        s->reason = alert.reason;
        session_drop(s);
        ended(s);
    } else {
        served(s);
    }
}

static void on_secured(struct bench_session *s)
{
    const uint64_t began = s->began; /* what counts is the whole of it */
    session_login(s);
    s->began = began;
}

static void on_up(struct bench_session *s)
{
    served(s);
    session_drop(s);
    put_back(s);
}

static void on_message(struct bench_session *s, const struct message *m)
{
    (void)s;
    (void)m;
}

static void on_closed(struct bench_session *s)
{
    put_back(s);
}

/* ---- how they come ---- */

static void come(struct load *load, enum load_kind kind, uint64_t number)
{
    if (load->free_count == 0) {
        load->crowded++;
        return;
    }
    const size_t index = load->free[--load->free_count];
    struct bench_session *s = &load->crowd.sessions[index];
    struct load_client *client = &load->clients[index];
    client->kind = kind;
    client->answered = false;
    s->stranger = kind == LOAD_SILENT || kind == LOAD_HALF;
    s->greeting = (struct bytes){ load->hello, kind == LOAD_HALF ? load->hello_len : 0 };
    s->source = kind == LOAD_NEWCOMER ? 0 : FIRST_SOURCE + (uint32_t)(number % load->sources);
    load->tallies[kind].begun++;
    session_connect(s);
}

/* Of one kind, evenly over time. */
struct pace {
    enum load_kind kind;
    double per_s;
    uint64_t done;
};

static void keep_pace(struct load *load, struct pace *pace, double elapsed)
{
    while ((double)pace->done < elapsed * pace->per_s) {
        come(load, pace->kind, pace->done++);
    }
}

static void *blow(void *argument)
{
    struct load *load = argument;
    const double rate = load->bench->options->rate;
    struct pace paces[LOAD_KINDS] = {
        { .kind = LOAD_SILENT, .per_s = rate * (1 - LOGIN_SHARE - HALF_SHARE) },
        { .kind = LOAD_HALF, .per_s = rate * HALF_SHARE },
        { .kind = LOAD_LOGIN, .per_s = rate * LOGIN_SHARE },
        { .kind = LOAD_NEWCOMER, .per_s = NEWCOMERS_PER_S },
    };
    const uint64_t start = clock_ns();
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), HOGS_NICENESS);
    while (!atomic_load(&load->stop)) {
        for (size_t i = 0; i < LOAD_KINDS; i++) {
            keep_pace(load, &paces[i], (double)(clock_ns() - start) / 1e9);
        }
        pool_turn(&load->crowd.pool, clock_ns() + TICK_NS);
    }
    for (size_t i = 0; i < load->crowd.count; i++) {
        session_drop(&load->crowd.sessions[i]);
    }
    return NULL;
}

/* ---- its life ---- */

static int make_hello(struct load *load)
{
    struct buffer out;
    buffer_init(&out, sizeof load->hello);
    struct handshake_client *client = handshake_client_new(&load->crowd.pool.policy, &rng_system);
    const bool made = client != NULL && handshake_client_start(client, &out) == REASON_NONE;
    if (made) {
        load->hello_len = buffer_len(&out);
        memcpy(load->hello, buffer_data(&out), load->hello_len);
    }
    handshake_client_free(&client);
    buffer_clear(&out);
    return made ? 0 : -1;
}

int load_init(struct load *load, struct bench *bench, uint32_t first)
{
    static const struct pool_handler handler = { .secured = on_secured,
                                                 .up = on_up,
                                                 .message = on_message,
                                                 .frame = on_frame,
                                                 .closed = on_closed,
                                                 .failed = ended };
    *load = (struct load){ .bench = bench, .sources = bench->options->sources };
    load->own = (struct bench){ .options = bench->options, .target = bench->target };
    load->clients = calloc(CLIENTS, sizeof *load->clients);
    load->free = calloc(CLIENTS, sizeof *load->free);
    if (crowd_init(&load->crowd, &load->own, CLIENTS, first, NULL) != 0 || load->clients == NULL ||
        load->free == NULL || make_hello(load) != 0) {
        fault(&bench->faults, "memory is out");
        return -1;
    }
    load->crowd.pool.handler = &handler;
    load->crowd.pool.context = load;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct bench_session *s = &load->crowd.sessions[i];
        /* There are fewer accounts than clients; they take over from each other. */
        s->name = load->crowd.sessions[i % LOAD_ACCOUNTS].name;
        s->context = &load->clients[i];
        load->clients[i].index = i;
        load->free[load->free_count++] = i;
    }
    return 0;
}

int load_begin(struct load *load)
{
    return pthread_create(&load->thread, NULL, blow, load) == 0 ? 0 : -1;
}

void load_end(struct load *load)
{
    atomic_store(&load->stop, true);
    (void)pthread_join(load->thread, NULL);
    if (faults_any(&load->own.faults)) {
        fault(&load->bench->faults, "%s", load->own.faults.first);
    }
}

void load_free(struct load *load)
{
    crowd_clear(&load->crowd);
    free(load->clients);
    free(load->free);
}

void load_report(struct load *load, double seconds)
{
    static const char *const names[LOAD_KINDS] = { "silent", "half_handshakes", "logins", "newcomers" };
    json_t *all = json_object();
    bool whole = all != NULL;
    for (size_t i = 0; i < LOAD_KINDS && whole; i++) {
        const struct load_tally *t = &load->tallies[i];
        json_t *one =
            json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "begun_per_s", (double)t->begun / seconds, "begun",
                      (json_int_t)t->begun, "served", (json_int_t)t->served, "busy", (json_int_t)t->busy, "other_word",
                      (json_int_t)t->word, "no_word", (json_int_t)t->no_word, "served_after",
                      latency_json(&t->served_after), "busy_after", latency_json(&t->refused_after));
        whole = one != NULL && json_object_set_new(all, names[i], one) == 0;
    }
    if (!whole) {
        fault(&load->bench->faults, "memory is out");
    }
    bench_put(load->bench, "result", "load", all);
    bench_put(load->bench, "result", "load_not_begun", json_integer((json_int_t)load->crowded));
}
