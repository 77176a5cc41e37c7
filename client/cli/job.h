/* job.h: a stop by Ctrl-Z, for whoever has switched the terminal's own signals off. */
#ifndef CLIENT_CLI_JOB_H
#define CLIENT_CLI_JOB_H

/* Stops the job: this program and whatever else the shell started with it, such as a make around it. Returns when it goes
 * on; at once where no shell could continue it. The terminal is put back before. */
void job_stop(void);

#endif
