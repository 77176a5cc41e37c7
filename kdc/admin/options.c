#include "kdc/admin/command.h"

const struct argp_option admin_option_table[] = {
    { "config", 'c', "FILE", 0, "kdcd's configuration (default: $KDC_CONF, else " DEFAULT_CONFIG ")", 0 },
    { "json", 'j', NULL, 0, "Print JSON", 0 },
    { "password-file", 'p', "FILE", 0, "user add, user passwd: take the password from this file's first line", 1 },
    { "yes", 'y', NULL, 0, "user delete: don't ask", 1 },
    { "fingerprint", 'f', NULL, 0, "identity show: print nothing but the fingerprint", 1 },
    { 0 },
};

unsigned command_option_by_key(int key)
{
    switch (key) {
    case 'p':
        return OPTION_PASSWORD_FILE;
    case 'y':
        return OPTION_YES;
    case 'f':
        return OPTION_FINGERPRINT;
    default:
        return 0;
    }
}
