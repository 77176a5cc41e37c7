#include "kdc/rates.h"

#define SAMPLES (RATES_SECONDS + 1)

void rates_note(struct rates *rates, const struct rates_sample *sample)
{
    rates->newest = (rates->newest + 1) % SAMPLES;
    rates->samples[rates->newest] = *sample;
    rates->count += rates->count < SAMPLES ? 1 : 0;
}

double rates_get(const struct rates *rates, enum rate rate, const struct rates_sample *now)
{
    if (rates->count == 0) {
        return 0;
    }
    const struct rates_sample *oldest = &rates->samples[(rates->newest + SAMPLES + 1 - rates->count) % SAMPLES];
    const uint64_t us = now->time - oldest->time;
    return us == 0 ? 0 : (double)(now->counters[rate] - oldest->counters[rate]) * 1e6 / (double)us;
}
