// SPDX-License-Identifier: GPL-2.0
/*
 * One system call, its result by name: "OK" or "EBUSY". Shell builtins only
 * give a sentence in some language, and echo may write twice.
 *
 *   sysop write PATH TEXT    TEXT as it is; "-" takes it from stdin
 *   sysop read PATH          prints the contents, or the name of the error
 *   sysop mkdir|rmdir PATH
 *   sysop rmmod NAME         delete_module(O_NONBLOCK), as rmmod does
 * Exit status 0 for OK, 1 for an error that was named, 2 for misuse.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char buffer[1 << 20];

static int tell(long result)
{
	const char *name = strerrorname_np(errno);

	if (result >= 0) {
		puts("OK");
		return 0;
	}
	puts(name ? name : "E?");
	return 1;
}

static int do_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd;

	if (!strcmp(text, "-")) {
		len = fread(buffer, 1, sizeof(buffer), stdin);
		text = buffer;
	}
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return tell(fd);
	n = write(fd, text, len);
	if (n >= 0 && (size_t)n != len) {
		printf("SHORT %zd\n", n);
		return 1;
	}
	return tell(n);
}

static int do_read(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return tell(fd);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	return n < 0 ? tell(n) : 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "write"))
		return do_write(argv[2], argv[3]);
	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "read"))
		return do_read(argv[2]);
	if (!strcmp(argv[1], "mkdir"))
		return tell(mkdir(argv[2], 0755));
	if (!strcmp(argv[1], "rmdir"))
		return tell(rmdir(argv[2]));
	if (!strcmp(argv[1], "rmmod"))
		return tell(syscall(SYS_delete_module, argv[2], O_NONBLOCK));
	return 2;
}
