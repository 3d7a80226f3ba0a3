"""Make this Python refuse what Windows refuses. Python imports this file at its start.

It stands in for Windows as far as Linux can: functions and modules that are not there are missing,
links need a privilege, files that are open cannot be renamed or removed, folders cannot be opened,
names have no colons, and text that names no encoding is in cp1252. Paths keep their slashes.
"""

import builtins
import errno
import io
import os
import shutil
import signal
import sys
from multiprocessing import resource_tracker
from pathlib import Path

# These work on Windows in their own way, by modules that they must not miss here.
import filelock  # noqa: F401
import platformdirs  # noqa: F401

import dlcli.files

FORBIDDEN = set('<>:"|?*')
MISSING_MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "readline")
MISSING_FROM_OS = (
    *("fork", "forkpty", "getuid", "geteuid", "getgid", "getpgid", "killpg", "setsid", "nice"),
    *("mkfifo", "mknod", "statvfs", "sysconf", "chown", "sched_getaffinity", "sched_yield"),
    *("getloadavg", "sync"),
)
MISSING_FROM_SIGNAL = (
    *("pthread_sigmask", "SIG_BLOCK", "SIG_SETMASK", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGPIPE"),
    *("setitimer", "alarm", "pause", "sigwait"),
)

open_descriptor, open_file = os.open, io.open
replace, rename, remove, rmdir, mkdir = os.replace, os.rename, os.remove, os.rmdir, os.mkdir
fsync = os.fsync


def refuse_open(path) -> None:
    """Raise if this process has a file open at or below a path."""
    whole = os.path.realpath(path)
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target == whole or target.startswith(whole + "/"):
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))


def refuse_name(path) -> None:
    name = Path(os.fsdecode(path)).name
    if FORBIDDEN & set(name) or name.endswith((".", " ")):
        raise OSError(errno.EINVAL, "The filename, directory name, or volume label", str(path))


def symlink(source, target, *_arguments, **_options):
    raise OSError(errno.EINVAL, "A required privilege is not held by the client", source)


def windows_open(path, flags, mode=0o777, *, dir_fd=None):
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    if flags & os.O_CREAT:
        refuse_name(path)
    return open_descriptor(path, flags, mode, dir_fd=dir_fd)


def windows_open_file(file, mode="r", buffering=-1, encoding=None, *rest, **options):
    if not isinstance(file, int) and os.path.isdir(file):
        raise PermissionError(errno.EACCES, "Permission denied", file)
    if not isinstance(file, int) and set(mode) & set("wxa"):
        refuse_name(file)
    if "b" not in mode and encoding in {None, "locale"}:
        encoding = "cp1252"
    return open_file(file, mode, buffering, encoding, *rest, **options)


def windows_replace(source, target, **_options):
    refuse_open(source)
    refuse_open(target)
    refuse_name(target)
    if os.path.isdir(target):
        raise PermissionError(errno.EACCES, "Access is denied", source)
    replace(source, target)


def windows_rename(source, target, **_options):
    refuse_open(source)
    refuse_name(target)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "Cannot create a file when it already exists", target)
    rename(source, target)


def windows_remove(path, **_options):
    refuse_open(path)
    remove(path)


def windows_mkdir(path, *arguments, **options):
    refuse_name(path)
    mkdir(path, *arguments, **options)


def windows_fsync(descriptor):
    flags = Path(f"/proc/self/fdinfo/{descriptor}").read_text("utf-8").split("flags:")[1].split()[0]
    if not int(flags, 8) & (os.O_WRONLY | os.O_RDWR):
        raise OSError(errno.EBADF, "Bad file descriptor")
    fsync(descriptor)


def unusable(*_arguments, **_options):
    raise ModuleNotFoundError("No module named '_posixsubprocess'")


REPLACED: tuple[tuple[object, str, object], ...] = (
    (os, "symlink", symlink),
    (os, "open", windows_open),
    (os, "replace", windows_replace),
    (os, "rename", windows_rename),
    (os, "remove", windows_remove),
    (os, "unlink", windows_remove),
    (os, "mkdir", windows_mkdir),
    (os, "fsync", windows_fsync),
    (io, "open", windows_open_file),
    (builtins, "open", windows_open_file),
    (resource_tracker, "ensure_running", unusable),
    (resource_tracker, "_HAVE_SIGMASK", False),
    (shutil, "_use_fd_functions", False),
    (dlcli.files, "IS_WINDOWS", True),
)
for where, attribute, value in REPLACED:
    setattr(where, attribute, value)
for missing in MISSING_FROM_OS:
    delattr(os, missing)
for missing in MISSING_FROM_SIGNAL:
    delattr(signal, missing)
sys.modules.update(dict.fromkeys(MISSING_MODULES))  # type: ignore[arg-type] # None: no such module
