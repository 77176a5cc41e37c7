"""kdc-admin's exit status, as kdc/admin/exit_code.h has it."""

OTHER, USAGE, NOT_FOUND, EXISTS, DATABASE, NOT_RUNNING, REFUSED, FOUND = 1, 2, 3, 4, 5, 6, 7, 8
