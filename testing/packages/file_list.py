"""file_list.py ROOT: every file of a system with kind, owner, mode and content, one a line.
file_list.py BEFORE AFTER: the paths of two such lists that are new, gone (-) or other (!).

Left out is what dpkg and apt keep of their own work, /run, which ends with the machine, and the backups (passwd-) that
come with every change of users.
"""

import hashlib
import os
import re
import stat
import sys

LEFT_OUT = re.compile(
    r"/(packages|proc|run|var/lib/dpkg|var/lib/apt|var/cache/(apt|debconf)|var/log)(/|$)|/etc/[a-z]+-$"
)


def describe(path):
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        content = ""
    return f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid} {content}"


def read(path):
    with open(path) as file:
        return dict(line.rstrip("\n").split("\t") for line in file)


if os.path.isdir(sys.argv[1]):
    root = sys.argv[1].rstrip("/")
    for folder, folders, files in os.walk(root):
        inside = folder[len(root) :]
        folders[:] = [name for name in folders if not LEFT_OUT.match(f"{inside}/{name}")]
        for name in folders + files:
            if not LEFT_OUT.match(f"{inside}/{name}"):
                print(f"{inside}/{name}\t{describe(f'{folder}/{name}')}")
else:
    before, after = read(sys.argv[1]), read(sys.argv[2])
    for path in sorted(before | after):
        if before.get(path) != after.get(path):
            print(("-" if path not in after else "!" if path in before else "") + path)
