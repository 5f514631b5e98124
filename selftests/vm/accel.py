# SPDX-License-Identifier: GPL-2.0
"""Whether KVM can be used, and how fast this machine's time stamp counter is.

A /dev/kvm can be there and yet no guest get going (nested in a machine that
does not hand on the hardware's support), so a guest is started to find out:
within PROBE_S seconds its kernel has written to the serial line, or KVM
counts as unusable.  The answer is kept until the machine is booted again.
"""
import functools
import os
import re
import select
import signal
import subprocess
import time

import kernels

QEMU = 'qemu-system-x86_64'
PROBE_S = 2
# Before, a processor could go on to run what another had just patched (static keys: an int3 that
# nobody expects any more).  7.2 does so within seconds of toggling a tracepoint; 10.0 was tried.
TCG_MULTI_SINCE = 10


def _boot_id():
    with open('/proc/sys/kernel/random/boot_id') as f:
        return f.read().strip()


def _probe(kernel):
    command = [QEMU, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
               '-M', 'q35', '-accel', 'kvm', '-cpu', 'host', '-m', '256M', '-serial', 'stdio',
               '-kernel', kernel.image, '-append', 'earlyprintk=ttyS0 console=ttyS0 panic=-1']
    guest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + PROBE_S
    text = b''
    try:
        while b'Linux version' not in text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([guest.stdout], [], [], left)[0]:
                return False
            got = os.read(guest.stdout.fileno(), 4096)
            if not got:
                return False
            text += got
        return True
    finally:
        guest.send_signal(signal.SIGKILL)
        guest.wait()
        guest.stdout.close()


def choose(kernel, cache):
    """'kvm' or 'tcg'."""
    wish = os.environ.get('GOHEAP_VM_ACCEL')
    if wish in ('kvm', 'tcg'):
        return wish
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return 'tcg'
    return _once_a_boot(os.path.join(cache, f'kvm-{os.getuid()}'),
                        lambda: 'kvm' if _probe(kernel) else 'tcg')


@functools.cache
def tcg_thread():
    """Whether each of a guest's processors may have a thread of its own: 'multi' or 'single'."""
    # One that cannot even say that will not start either, and then says why.
    said = subprocess.run([QEMU, '--version'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False).stdout
    version = re.search(r'version ([0-9]+)', said)
    return 'multi' if version and int(version[1]) >= TCG_MULTI_SINCE else 'single'


def tsc_khz(cache):
    """What to tell an emulated kernel: see tsc.c."""
    def measure():
        return subprocess.run([kernels.compiled('tsc', cache)], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()
    return _once_a_boot(os.path.join(cache, 'tsc-khz'), measure)


def _once_a_boot(path, find):
    """An answer that holds until this machine is booted again."""
    try:
        with open(path) as f:
            boot, said = f.read().split()
            if boot == _boot_id():
                return said
    except (OSError, ValueError):
        pass
    said = find()
    tmp = f'{path}.{os.getpid()}'
    with open(tmp, 'w') as f:
        f.write(f'{_boot_id()} {said}\n')
    os.rename(tmp, path)
    return said
