/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command, in a network namespace and on given processors, and writes what it took to a file as JSON.
 *
 * launch REPORT NAMESPACE|- PROCESSORS|- COMMAND [ARGUMENTS]
 *
 * PROCESSORS is a list such as 0,1. began and ended are of the monotonic clock. The command dies with this
 * program, and this program with the one that started it. SIGTERM to both is the command's: this program
 * waits for its end. It is small, so that the peak memory that the kernel reports is the command's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
    _exit(127);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void into_namespace(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/var/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET))
        die(path);
    close(fd);
}

static void onto_processors(const char *list)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const char *p = list; *p;) {
        char *end;
        unsigned long n = strtoul(p, &end, 10);
        errno = EINVAL;
        if (end == p || n >= CPU_SETSIZE || (*end && *end != ','))
            die(list);
        CPU_SET(n, &set);
        p = end + (*end == ',');
    }
    if (sched_setaffinity(0, sizeof set, &set))
        die(list);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: launch REPORT NAMESPACE|- PROCESSORS|- COMMAND [ARGUMENTS]\n");
        return 127;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(argv[2], "-") != 0)
        into_namespace(argv[2]);
    if (strcmp(argv[3], "-") != 0)
        onto_processors(argv[3]);
    signal(SIGTERM, SIG_IGN);
    double began = now();
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
            die("the parent is gone");
        signal(SIGTERM, SIG_DFL);
        execv(argv[4], argv + 4);
        die(argv[4]);
    }
    int status;
    struct rusage used;
    while (wait4(pid, &status, 0, &used) < 0)
        if (errno != EINTR)
            die("wait");
    double ended = now();
    FILE *f = fopen(argv[1], "w");
    if (!f)
        die(argv[1]);
    fprintf(f,
            "{\"began\": %.6f, \"ended\": %.6f, \"cpu_seconds\": %.6f, \"peak_bytes\": %lld, \"disk_bytes\": "
            "%lld}\n",
            began, ended, seconds(used.ru_utime) + seconds(used.ru_stime), 1024LL * used.ru_maxrss,
            512LL * used.ru_oublock);
    if (fclose(f))
        die(argv[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
