"""kdc-chat's exit status, as client/cli/exit_code.h has it."""

OK, OTHER, USAGE, LOGIN, OFFLINE, NO_SUCH_USER = 0, 1, 2, 3, 4, 5
UNREACHABLE, IDENTITY, TIMEOUT, REFUSED, BUSY, ENDED, PENDING, INTERRUPTED = 6, 7, 8, 9, 10, 11, 12, 130
