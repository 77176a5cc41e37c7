/*
 * setting_value.h: one value of the configuration: from the text that stands in a file to its place in a struct config, and
 * compared there. What it may be says the setting (settings.h). Any thread.
 */
#ifndef KDC_SETTING_VALUE_H
#define KDC_SETTING_VALUE_H

#include "kdc/config.h"
#include "kdc/settings.h"

#define SETTING_WHY_MAX 128

/* Puts `value` where `setting` says. NULL, or what is wrong with it, a phrase that follows "section.key "; lent, it may lie in
 * `why`. `path`: of the file, whose folder relative paths are taken from. */
const char *setting_value_set(struct config *config, const struct setting *setting, const char *path, const char *value,
                              char why[SETTING_WHY_MAX]) __attribute__((warn_unused_result));

bool setting_value_equal(const struct config *a, const struct config *b, const struct setting *setting)
    __attribute__((warn_unused_result));

#endif
