#include "client/cli/job.h"

#include <signal.h>

void job_stop(void)
{
    struct sigaction before;
    struct sigaction stop = { .sa_handler = SIG_DFL };
    sigemptyset(&stop.sa_mask);
    sigaction(SIGTSTP, &stop, &before);
    (void)kill(0, SIGTSTP);
    sigaction(SIGTSTP, &before, NULL);
}
