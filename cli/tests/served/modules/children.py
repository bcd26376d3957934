"""Child processes of all kinds."""

import concurrent.futures
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time


def bounded():
    """The usual way to bound a computation."""
    p = mp.get_context("fork").Process(target=time.sleep, args=(9,))
    p.start()
    p.join(0.5)
    p.terminate()
    p.join(3)
    return p.exitcode


def pool():
    with mp.get_context("fork").Pool(2) as p:
        p.apply_async(time.sleep, (30,))
        time.sleep(0.2)
    return "done"


def mapped(method, n):
    with mp.get_context(method).Pool(2) as p:
        return p.map(abs, range(-n, 0))


def executed(method, n):
    context = mp.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        return list(executor.map(abs, range(-n, 0)))


async def executed_later(n):
    import asyncio

    loop = asyncio.get_running_loop()
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as executor:
        return await loop.run_in_executor(executor, abs, -n)


def _raises():
    raise LookupError("in the child")


def process_status(method):
    p = mp.get_context(method).Process(target=sys.exit, args=(5,))
    p.start()
    p.join()
    return p.exitcode


def process_fails():
    p = mp.get_context("fork").Process(target=_raises)
    p.start()
    p.join()
    return p.exitcode


def _status(pid):
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def fork_and_exit(status):
    pid = os.fork()
    if pid == 0:
        sys.exit(status)
    return _status(pid)


def fork_and_return():
    pid = os.fork()
    return _status(pid) if pid else "of the child"


def fork_and_raise():
    pid = os.fork()
    if pid == 0:
        raise LookupError("raised in the child")
    return _status(pid)


def fork_and_exit_in_stream(status):
    pid = os.fork()
    if pid == 0:
        sys.exit(status)
    yield _status(pid)


async def fork_and_exit_later(status):
    pid = os.fork()
    if pid == 0:
        sys.exit(status)
    return _status(pid)


def fork_and_terminate(name):
    """A child with nothing of its own does what the signal does by default."""
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.1)
    os.kill(pid, getattr(signal, name))
    return _status(pid)


def fork_prints():
    sys.stdout.write("before the fork, once\n")
    pid = os.fork()
    if pid == 0:
        print("printed by the child")
        sys.exit(0)
    return _status(pid)


def handlers_in_child():
    """The numbers of signals that a child does not treat as a fresh Python does."""
    check = (
        "import signal, sys; "
        "sys.exit(int(signal.getsignal(signal.SIGINT) is not signal.default_int_handler) "
        "+ 2 * int(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL) "
        "+ 4 * int(bool(signal.pthread_sigmask(signal.SIG_BLOCK, []))))"
    )
    pid = os.fork()
    if pid == 0:
        exec(check)
    return [_status(pid), subprocess.call([sys.executable, "-c", check])]


def fork_call_threads():
    """How many threads a child has."""
    pid = os.fork()
    if pid == 0:
        os._exit(len(os.listdir("/proc/self/task")))
    return _status(pid)


left = []


def leave_behind(method):
    """Children that outlive the call, and would outlive the server."""
    process = mp.get_context(method).Process(target=time.sleep, args=(1000,), daemon=False)
    process.start()
    left.append(process)
    return process.pid


def leave_program_behind():
    left.append(subprocess.Popen(["sleep", "1000"]))
    return left[-1].pid


def leave_deaf_behind():
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while True:
            time.sleep(1)
    return pid


def leave_pool_behind():
    left.append(mp.get_context("fork").Pool(2))
    return left[-1].apply(os.getpid)


def echo(value):
    return value


def pid():
    return os.getpid()
