#include "kdc/metrics_pages.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

static void answer(struct evhttp_request *request, int status, const char *type, const char *body, size_t len)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *buffer = evbuffer_new();
    char length[24];
    (void)snprintf(length, sizeof length, "%zu", len);
    /* HEAD gets the headers of GET. */
    const bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    if (buffer == NULL || evhttp_add_header(headers, "Content-Type", type) != 0 ||
        evhttp_add_header(headers, "Content-Length", length) != 0 ||
        evhttp_add_header(headers, "Cache-Control", "no-store") != 0 ||
        evhttp_add_header(headers, "Connection", "close") != 0 || (!head && evbuffer_add(buffer, body, len) != 0)) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    } else {
        evhttp_send_reply(request, status, NULL, buffer);
    }
    if (buffer != NULL) {
        evbuffer_free(buffer);
    }
}

static void answer_line(struct evhttp_request *request, int status, const char *sentence)
{
    char line[NOT_READY_MAX + 1];
    const int len = snprintf(line, sizeof line, "%s\n", sentence);
    answer(request, status, "text/plain; charset=utf-8", line, (size_t)len);
}

static void answer_metrics(struct figures_taker *taker, struct evhttp_request *request)
{
    struct figures figures;
    char *text = NULL;
    size_t len = 0;
    if (!figures_taker_figures(taker, &figures)) {
        answer_line(request, HTTP_SERVUNAVAIL, "kdcd is shutting down");
        return;
    }
    FILE *out = open_memstream(&text, &len);
    if (out != NULL) {
        figures_print_prometheus(&figures, out);
    }
    if (out == NULL || fclose(out) != 0 || figures.failed) {
        answer_line(request, HTTP_SERVUNAVAIL, "memory is out");
    } else {
        answer(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, len);
    }
    free(text);
    figures_clear(&figures);
}

static void answer_ready(struct figures_taker *taker, struct evhttp_request *request)
{
    char why[NOT_READY_MAX];
    const bool ready = figures_taker_ready(taker, why);
    answer_line(request, ready ? HTTP_OK : HTTP_SERVUNAVAIL, ready ? "ready" : why);
}

static void answer_live(struct figures_taker *taker, struct evhttp_request *request)
{
    (void)taker;
    answer_line(request, HTTP_OK, "alive");
}

static const struct {
    const char *path;
    void (*answer)(struct figures_taker *taker, struct evhttp_request *request);
} pages[] = {
    { "/metrics", answer_metrics },
    { "/ready", answer_ready },
    { "/live", answer_live },
};

void metrics_page_answer(struct figures_taker *taker, struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    const enum evhttp_cmd_type method = evhttp_request_get_command(request);
    for (size_t i = 0; path != NULL && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) != 0) {
            continue;
        }
        if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
            pages[i].answer(taker, request);
        } else {
            (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
            answer_line(request, HTTP_BADMETHOD, "only GET and HEAD");
        }
        return;
    }
    answer_line(request, HTTP_NOTFOUND, "there are /metrics, /ready and /live");
}
