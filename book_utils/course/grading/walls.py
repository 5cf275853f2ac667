"""The walls that a cell puts up around itself before it reads a line of a student's code. Standard library alone, so that they stand first.

    namespaces  no network, no other process, and of the files only those it needs, read-only       (Linux, where users may make them)
    landlock    the kernel opens no file but those it needs and its own folder                      (Linux 5.13 and later)
    seccomp     the kernel makes no socket and no process, traces nothing and signals nobody        (Linux on x86-64 and ARM64)
    limits      time on the processor, memory, size and number of files; Python itself refuses the same things (everywhere)

The last one alone keeps out carelessness, not skill: what Python refuses, a program in machine code can still do.
"""

import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys

MEMORY, VIRTUAL, FILE, FILES, PROCESSOR = 2 << 30, 4 << 30, 16 << 20, 128, 600  # bytes, bytes, bytes, number, seconds
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix/store", "/etc/ld.so.cache", "/etc/localtime", "/sys/devices/system/cpu")


class Unavailable(Exception):
    """This system does not have, or does not allow, a wall."""


def enclose(readable: list[str], hidden: list[str], folder: str, walls: str) -> list[str]:
    """Put up the walls; returns the names of those in force. `walls` is "auto" for all that the system has, or "limits".

    Afterwards this process can read `readable` (without `hidden`) and write nothing but its own `folder`. Where there are namespaces it goes on
    in a child, and the calling process waits. `guard_python` follows once everything is imported.
    """
    readable = [os.path.realpath(path) for path in dict.fromkeys([*readable, *_SYSTEM]) if os.path.exists(path)]
    standing = []
    if walls != "limits" and sys.platform == "linux":
        for name, build in {"namespaces": lambda: _namespaces(readable, hidden, folder),
                            "landlock": lambda: _landlock(readable, hidden, folder), "limits": _limits, "seccomp": _seccomp}.items():
            try:
                build()
                standing.append(name)
            except (Unavailable, OSError, AttributeError):
                continue
    else:
        _limits()
        standing.append("limits")
    os.chdir(folder)
    return standing


def _libc(name: str, *arguments: object) -> int:
    """Call a function of the C library; OSError where it fails."""
    done = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return done


# Namespaces: a new root that holds what is needed and nothing else

_USER, _MOUNT, _NET, _PID, _IPC, _UTS = 0x10000000, 0x00020000, 0x40000000, 0x20000000, 0x08000000, 0x04000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_PIVOT = {"x86_64": 155, "aarch64": 41}


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    _libc("mount", source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), options and options.encode())


def _namespaces(readable: list[str], hidden: list[str], folder: str) -> None:
    pivot = _PIVOT.get(platform.machine())
    if pivot is None:
        raise Unavailable
    _rehearse()
    user, group = os.getuid(), os.getgid()
    _libc("unshare", _USER | _MOUNT | _NET | _PID | _IPC | _UTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _alone()  # from here on in the first process of the new namespace
    root = os.path.join(folder, "root")
    os.mkdir(root)
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=755")
    for path in [*_outermost(readable), *_DEVICES]:
        _bind(path, root + path)
    for path in hidden:
        if os.path.isdir(root + path):
            _mount("tmpfs", root + path, "tmpfs", _READ_ONLY, "size=4k")
    for link in ("/lib", "/lib32", "/lib64", "/bin"):
        if os.path.islink(link) and not os.path.lexists(root + link):
            os.symlink(os.readlink(link), root + link)
    os.makedirs(root + "/proc")
    with contextlib.suppress(OSError):  # some containers do not allow it; then there is none
        _mount("proc", root + "/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_EXEC)
    os.makedirs(root + folder, exist_ok=True)
    _mount("tmpfs", root + folder, "tmpfs", _NO_SUID | _NO_DEVICES, f"size={4 * FILE}")
    os.chdir(root)
    _libc("syscall", pivot, b".", b".")
    _libc("umount2", b".", 2)  # detach what was the root
    os.chdir("/")


def _rehearse() -> None:
    """Try in a child whether namespaces can be had at all, because half of them cannot be given back. Unavailable if not."""
    child = os.fork()
    if child == 0:
        try:
            _libc("unshare", _USER | _MOUNT | _NET | _PID | _IPC | _UTS)
            _mount("none", "/", None, _RECURSIVE | _PRIVATE)
            _mount("tmpfs", "/tmp", "tmpfs", 0, "size=4k")
        except BaseException:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise Unavailable


def _alone() -> None:
    """Go on in a child, the first process of the new namespace; this one waits for it and ends as it ends."""
    child = os.fork()
    if child == 0:
        _libc("prctl", 1, signal.SIGKILL)  # it dies with its parent
        return
    for number in (0, 1):
        os.close(number)  # the pipes are the child's
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)


def _outermost(paths: list[str]) -> list[str]:
    """The paths that lie inside none of the others."""
    return sorted(p for p in set(paths) if not any(p != q and p.startswith(q + "/") for q in paths))


def _bind(path: str, target: str) -> None:
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w").close()
    _mount(path, target, None, _BIND | _RECURSIVE)
    kept = os.statvfs(target).f_flag & (_NO_SUID | _NO_DEVICES | _NO_EXEC | 1024 | 2048)  # flags that may not be taken away
    _mount("none", target, None, _BIND | _REMOUNT | _READ_ONLY | kept)


# Landlock: the kernel opens nothing but what is named

_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # number of file rights that a version knows; 16 from version 5 on
_READ, _LIST, _WRITE_FILE = 1 | 4 | 8, 8, 2


def _landlock(readable: list[str], hidden: list[str], folder: str) -> None:
    version = _libc("syscall", 444, None, ctypes.c_size_t(0), 1)
    every = (1 << _RIGHTS.get(version, 16)) - 1
    fields = [every, 3 if version >= 4 else 0, 3 if version >= 6 else 0]  # files; TCP; sockets without a name and signals
    asked = struct.pack("=QQQ", *fields)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _libc("syscall", 444, asked, ctypes.c_size_t(len(asked)), 0)

    def allow(path: str, rights: int) -> None:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not os.path.isdir(path):
            rights &= 1 | 2 | 4 | 1 << 14  # those of a file
        if rights & every == 0:
            return os.close(place)
        _libc("syscall", 445, rules, 1, struct.pack("=Qi", rights & every, place), 0)
        os.close(place)
    for path in readable:
        allow(path, _LIST)  # their files only where nothing among them is hidden
    for path in [*_without(readable, hidden), "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"]:
        allow(path, _READ)
    for path in _DEVICES:
        allow(path, _READ | _WRITE_FILE)
    allow(folder, every)
    _powerless()
    _libc("syscall", 446, rules, 0)
    os.close(rules)


def _without(readable: list[str], hidden: list[str]) -> list[str]:
    """The readable paths, those that contain something hidden replaced by the rest of what they contain."""
    found, queue = [], list(readable)
    while queue:
        path = queue.pop()
        if path in hidden:
            continue
        if any(h.startswith(path + "/") for h in hidden):
            queue += [os.path.join(path, name) for name in os.listdir(path)]
        else:
            found.append(path)
    return found


def _powerless() -> None:
    """Give up every capability, for good."""
    _libc("prctl", 38, 1, 0, 0, 0)  # no new privileges
    for capability in range(64):
        with contextlib.suppress(OSError):
            _libc("prctl", 24, capability, 0, 0, 0)
    _libc("capset", struct.pack("=Ii", 0x20080522, 0), bytes(24))


# Seccomp: calls of the kernel that a cell has no use for

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {  # name: (number on x86-64, on ARM64)
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "execve": (59, 221), "execveat": (322, 281),
    "fork": (57, None), "vfork": (58, None), "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430), "open_tree": (428, 428), "move_mount": (429, 429),
    "mount_setattr": (442, 442), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "open_by_handle_at": (304, 265), "setrlimit": (160, 164), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "memfd_create": (319, 279), "setpriority": (141, 140), "sched_setaffinity": (203, 122), "setsid": (112, 157), "setpgid": (109, 154),
}
_CLONE, _CLONE3, _PRLIMIT = (56, 220), (435, 435), (302, 261)
_THREAD = 0x00010000
_ALLOW, _DENY, _ABSENT, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # EPERM; ENOSYS


def _seccomp() -> None:
    machine = platform.machine()
    if machine not in _ARCHITECTURE:
        raise Unavailable
    column = list(_ARCHITECTURE).index(machine)

    def load(offset: int) -> tuple:
        return (0x20, 0, 0, offset)

    def give(value: int) -> tuple:
        return (0x06, 0, 0, value)

    def equal(value: int, yes: int, no: int) -> tuple:
        return (0x15, yes, no, value)
    program = [load(4), equal(_ARCHITECTURE[machine], 1, 0), give(_KILL)]
    program += [load(0), (0x35, 0, 1, 0x40000000), give(_DENY)]  # x32 is another way in
    for numbers in _CALLS.values():
        if numbers[column] is not None:
            program += [equal(numbers[column], 0, 1), give(_DENY)]
    program += [equal(_CLONE3[column], 0, 1), give(_ABSENT)]  # its flags are out of sight: the C library falls back on clone
    program += [equal(_CLONE[column], 0, 4), load(16), (0x45, 1, 0, _THREAD), give(_DENY), give(_ALLOW)]
    program += [equal(_PRLIMIT[column], 0, 6), load(32), equal(0, 0, 2), load(36), equal(0, 1, 0), give(_DENY), give(_ALLOW)]
    program += [give(_ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    _powerless()
    _libc("prctl", 22, 2, struct.pack("=HxxxxxxQ", len(program), ctypes.addressof(code)), 0, 0)


# Limits, and Python's own refusals

def _limits() -> None:
    import resource

    virtual = VIRTUAL + (os.cpu_count() or 1) * (80 << 20)  # every thread reserves some
    wanted = {"RLIMIT_CPU": PROCESSOR, "RLIMIT_FSIZE": FILE, "RLIMIT_NOFILE": FILES, "RLIMIT_CORE": 0, "RLIMIT_DATA": MEMORY, "RLIMIT_AS": virtual}
    if sys.platform != "linux":  # elsewhere these two count shared libraries and system caches
        del wanted["RLIMIT_DATA"], wanted["RLIMIT_AS"]
    for name, value in wanted.items():
        with contextlib.suppress(ValueError, OSError):  # already lower
            resource.setrlimit(getattr(resource, name), (value, value))


_NEVER = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill", "pty.", "ctypes.dlopen",
          "ctypes.dlsym", "ctypes.call_function", "ctypes.string_at", "ctypes.addressof", "ctypes.cdata", "resource.", "os.setxattr", "os.removexattr",
          "syslog.", "webbrowser.", "urllib.Request", "ftplib.", "smtplib.", "os.chroot", "os.chflags", "os.lockf", "_posixsubprocess.")
_WRITES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate", "os.utime", "os.mkfifo",
           "os.mknod", "shutil.rmtree", "shutil.move"}
_READS = {"os.listdir", "os.scandir", "os.chdir"}
_PATHS = {"open"} | _WRITES | _READS


def guard_python(readable: list[str], hidden: list[str], folder: str) -> None:
    """From now on Python refuses sockets, processes, machine code, reading elsewhere and writing elsewhere, with PermissionError."""
    real, join = os.path.realpath, os.path.join
    reads = tuple(join(real(path), "") for path in [*readable, *_SYSTEM, folder])
    files = {real(path) for path in (*_DEVICES, *_SYSTEM, *readable, folder)}
    secret, own = tuple(join(real(path), "") for path in hidden), join(real(folder), "")
    changes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def may_read(path: str) -> bool:
        inside = join(path, "")
        return (path in files or inside.startswith(reads)) and not inside.startswith(secret)

    def may_write(path: str) -> bool:
        return path == "/dev/null" or join(path, "").startswith(own)

    def hook(event: str, arguments: tuple) -> None:
        if event.startswith(_NEVER):
            raise PermissionError(f"{event} is refused while marks are given")
        if event not in _PATHS:
            return
        may = may_write if event in _WRITES or event == "open" and type(arguments[2]) is int and arguments[2] & changes else may_read
        for path in arguments[:1] if event == "open" or event in _READS else arguments:
            if isinstance(path, (str, bytes, os.PathLike)) and not may(real(os.fsdecode(path))):
                raise PermissionError(f"{os.fsdecode(path)} is outside of what an answer may touch")
    sys.addaudithook(hook)
