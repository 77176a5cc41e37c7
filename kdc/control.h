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
 *     Those that are logged in, in the order of their names; with "user":"alice" that user alone.
 *
 *   {"command":"kick","user":"alice","reason":"kicked"}
 *     {"ended":1}
 *     Ends that user's session with this reason; 0: the user had none. "reason" is a reason's name (wire/reason.h):
 *     "kicked" (when it is left out), "account_locked", "account_disabled", "account_expired", "must_change", "new_password",
 *     "account_renamed" or "account_deleted"
 *     (the password was changed, the account renamed or deleted). The reply may come before the client has read its close.
 *
 *   {"command":"expires","user":"alice","expires":1795165200123}
 *     {"told":1}
 *     That user's account ends at that time (0: never), and a session with it; 0: the user had none.
 *
 *   {"command":"status"}
 *     {"version":"0.1.0","uptime_seconds":86400.5,"sessions":120,"refusals_total":{"busy":1,…},"database_up":true,…}
 *     How kdcd is doing: every figure of kdc/figures.h by its name, as kdc/figures_json.h has it. A figure that can't be told
 *     now isn't there.
 *
 *   {"command":"penalties","from":0}
 *     {"penalties":[{"kind":"account","who":"alice","failures":4,"delay":8,"locked":0},
 *                   {"kind":"source","who":"192.0.2.7","failures":30,"delay":0,"locked":840}, …],"next":0}
 *     Names and sources that passwords were guessed for and from, in no order, a page of them. delay: of the next attempt;
 *     locked: so much longer. next: "from" for the next page; 0: there is none.
 *
 *   {"command":"penalties_clear","who":"alice"} or {"command":"penalties_clear","all":true}
 *     {"cleared":1}
 *     Forgets what that account (by name), that source (by address) or any has on it.
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
