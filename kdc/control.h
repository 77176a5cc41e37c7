/*
 * control.h: the control protocol, by which kdc-admin asks a running kdcd.
 *
 * kdcd listens on a UNIX stream socket ([control] socket, mode 0600). It takes a connection only when SO_PEERCRED names
 * uid 0 or kdcd's own uid; others are closed without an answer. Each way one JSON object a line, ended by '\n';
 * requests are answered in order, one reply each. A request is at most CONTROL_REQUEST_MAX bytes, its newline included;
 * a longer one, or one that isn't a JSON object with a known "command", gets an error, and after a too long one the
 * connection ends.
 *
 * Times are milliseconds since 1970 UTC; durations are seconds; numbers are never negative.
 *
 *   {"command":"who"}
 *     {"sessions":[{"user":"alice","session":4711,"source":"127.0.0.1:50112","since":1795165200123,"conversations":2,
 *                   "suite":"chacha20-poly1305","group":"ffdhe3072"}, …]}
 *     Those that are logged in, in the order of their names.
 *
 *   {"command":"kick","user":"alice","reason":"kicked"}
 *     {"ended":1}
 *     Ends that user's session with this reason; 0: the user had none. "reason" is a reason's name (wire/reason.h):
 *     "kicked" (when it is left out), "account_locked", "account_disabled" or "login_failed" (the password was changed,
 *     the account deleted). The reply may come before the client has read its close.
 *
 *   {"command":"status"}
 *     {"version":"0.1.0","uptime":86400,"sessions":120,"connections":123,"conversations":77,"keys_issued":4012,
 *      "messages":918273,"queue":0,"queue_max":256,"queue_alarms":0,"workers":2,"reactors":2,
 *      "database":"connected","refused":{"login_failed":12,"busy":1},
 *      "journal":{"queued":3,"batches":2201,"dropped":0},
 *      "secret_memory":{"used":81920,"reserved":131072,"locked":131072}}
 *     sessions: logged in. connections: open, before login too. conversations: of the sessions that are there.
 *     keys_issued, messages (passed on), queue_alarms (jobs that waited for a worker for too long), refused (by reason,
 *     those that occurred): since the start. queue: jobs waiting for a worker. database: "connected", or "unavailable:
 *     " and a sentence. journal: keys and events that wait to be put on record, transactions since the start, and events that
 *     are missing from the audit log. secret_memory: bytes, as in crypto/secret.h.
 *
 *   {"command":"refresh"}
 *     {"refreshed":true}
 *     Accounts in the database have changed: kdcd has looked which, and takes no ticket of theirs any more. (By itself it
 *     looks about once a second.)
 *
 *   anything else
 *     {"error":"a sentence"}
 */
#ifndef KDC_CONTROL_H
#define KDC_CONTROL_H

#define CONTROL_REQUEST_MAX 4096
#define CONTROL_REPLY_MAX (64 * 1024 * 1024) /* what a client reads at most; a session takes about 200 bytes of "who" */

#endif
