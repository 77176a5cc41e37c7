/*
 * vector.h: one whole exchange with fixed randomness, written out as docs/test-vector.txt has it (docs/protocol.md
 * section 9): comments behind '#', else one `name = hexadecimal` on a line.
 *
 * What goes over the wire comes from the same calls that the programs use; keys, IVs and what is behind them are
 * computed beside them from the document's formulas, and each must reproduce what went over the wire.
 */
#ifndef TESTS_VECTOR_H
#define TESTS_VECTOR_H

#include <stdio.h>

/* 0; -1 when a value doesn't agree with the code (a line on stderr says which). */
int vector_write(FILE *out);

#endif
