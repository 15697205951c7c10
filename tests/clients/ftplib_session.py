#!/usr/bin/env python3
"""A user's day with Python's ftplib, checked against the served directory on disk.

Prints each step before it is done and exits 1 with one line at the first difference, so that the last two
lines of the output say what failed and how. The sessions:

  full    upload, list, download, resume both ways, rename, delete, directories, odd names, empty files
  crowd   list a directory of many files (made on disk) in three ways
  large   a large file, made on disk with holes, down and up again
  short   list, download, upload: what a client does through a router
  broken  uploads whose data connection is lost, and how they go on, with REST and with APPE
  names   the names of --name in a charset: on disk they are in UTF-8
"""

import argparse
import filecmp
import ftplib
import hashlib
import os
import random
import socket
import struct
import sys
import time

NAMES = [
    "plain.bin",
    "with space.txt",
    'double"quote.txt',
    "single'quote.txt",
    "中文文件名.txt",
    "-leading-dash.txt",
    "-la",
    "[1] star* and? mark.txt",
    "percent %41 #hash &and;semicolon.txt",
    "back\\slash.txt",
    "two  spaces  inside.txt",
    ".hidden",
]


class Difference(Exception):
    """The server did something else than it should."""


class Client(ftplib.FTP):
    """Prints the replies that announce data connections."""

    def sendcmd(self, cmd):
        reply = super().sendcmd(cmd)
        if cmd in ("PASV", "EPSV"):
            print("  " + reply, flush=True)
        return reply


def step(text):
    print(text, flush=True)


def same(what, found, wanted):
    if found != wanted:
        raise Difference("%s: found %.400r, wanted %.400r" % (what, found, wanted))


def refused(code, call, *arguments):
    """The call must be answered with this reply code."""
    try:
        answer = call(*arguments)
    except ftplib.Error as error:
        same("reply code", str(error)[:3], code)
        return
    raise Difference("%r was accepted: %r" % (arguments, answer))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def checksum(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def fetch(ftp, name, rest=None):
    parts = []
    ftp.retrbinary("RETR " + name, parts.append, rest=rest)
    return b"".join(parts)


def store(ftp, name, path, offset=0, command="STOR", rest=None):
    with open(path, "rb") as file:
        file.seek(offset)
        ftp.storbinary("%s %s" % (command, name), file, rest=rest)


def lines(ftp, command):
    found = []
    ftp.retrlines(command, found.append)
    return found


def names(ftp):
    return sorted(ftp.nlst())


def full(ftp, root, work):
    sample = noise(3 * 1024 * 1024 + 17, 1)
    local = os.path.join(work, "sample")
    write(local, sample)
    on_disk = os.path.join(root, "sample.bin")

    step("upload")
    store(ftp, "sample.bin", local)
    same("sha256 on the server", checksum(on_disk), sha256(sample))

    step("list: LIST, NLST, MLSD, SIZE, MDTM")
    listed = [line for line in lines(ftp, "LIST") if line.endswith(" sample.bin")]
    same("number of LIST lines for sample.bin", len(listed), 1)
    if str(len(sample)) not in listed[0].split():
        raise Difference("LIST shows another size: %r" % listed[0])
    same("NLST", names(ftp), sorted(os.listdir(root)))
    facts = dict(ftp.mlsd())["sample.bin"]
    same("MLSD size", int(facts["size"]), len(sample))
    same("MLSD type", facts["type"].lower(), "file")
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(int(os.stat(on_disk).st_mtime)))
    same("MLSD modify", facts["modify"][:14], stamp)
    ftp.voidcmd("TYPE I")
    same("SIZE", ftp.size("sample.bin"), len(sample))
    same("MDTM", ftp.sendcmd("MDTM sample.bin")[:18], "213 " + stamp)

    step("download")
    same("sha256", sha256(fetch(ftp, "sample.bin")), sha256(sample))

    step("resume a download")
    for rest in (1, 65536, len(sample) - 1, len(sample)):
        same("sha256 from %d" % rest, sha256(fetch(ftp, "sample.bin", rest)), sha256(sample[rest:]))
    same("sha256 of the next whole download", sha256(fetch(ftp, "sample.bin")), sha256(sample))

    step("resume an upload, with REST and with APPE")
    half = 1234567
    write(os.path.join(root, "rest.bin"), sample[:half])
    store(ftp, "rest.bin", local, half, rest=half)
    same("sha256 after REST, STOR", checksum(os.path.join(root, "rest.bin")), sha256(sample))
    write(os.path.join(root, "appe.bin"), sample[:half])
    store(ftp, "appe.bin", local, half, command="APPE")
    same("sha256 after APPE", checksum(os.path.join(root, "appe.bin")), sha256(sample))
    store(ftp, "appe.new", local, command="APPE")
    same("sha256 after APPE to nothing", checksum(os.path.join(root, "appe.new")), sha256(sample))

    step("overwrite with something shorter")
    write(local, sample[:1000])
    store(ftp, "rest.bin", local)
    same("size", os.path.getsize(os.path.join(root, "rest.bin")), 1000)

    step("rename and delete")
    ftp.rename("rest.bin", "renamed.bin")
    same("names", names(ftp), ["appe.bin", "appe.new", "renamed.bin", "sample.bin"])
    refused("550", ftp.rename, "no such file", "other")
    for name in ("renamed.bin", "appe.bin", "appe.new"):
        ftp.delete(name)
    refused("550", ftp.delete, "renamed.bin")
    refused("550", fetch, ftp, "renamed.bin")
    same("names", names(ftp), ["sample.bin"])

    step("directories")
    odd = 'a "quoted" 目录'
    same("MKD's answer", ftp.mkd(odd), "/" + odd)
    ftp.cwd(odd)
    same("PWD", ftp.pwd(), "/" + odd)
    same("names in a new directory", lines(ftp, "NLST"), [])
    store(ftp, "inside", local)
    ftp.mkd("deeper")
    ftp.rename("inside", "deeper/inside")
    ftp.cwd("deeper")
    same("names", names(ftp), ["inside"])
    ftp.cwd("..")
    refused("550", ftp.rmd, "deeper")
    ftp.delete("deeper/inside")
    ftp.rmd("deeper")
    ftp.cwd("/")
    ftp.rmd("/" + odd)
    refused("550", ftp.cwd, odd)
    refused("550", ftp.rmd, odd)
    same("directory on disk", os.path.exists(os.path.join(root, odd)), False)

    step("odd names")
    for seed, name in enumerate(NAMES):
        step("  " + name)
        data = noise(1000 + seed, seed)
        write(local, data)
        store(ftp, name, local)
        same("sha256 on the server", checksum(os.path.join(root, name)), sha256(data))
        same("sha256", sha256(fetch(ftp, name)), sha256(data))
        same("SIZE", ftp.size(name), len(data))
        other = name + " moved"
        ftp.rename(name, other)
        ftp.rename(other, name)
    visible = sorted(name for name in NAMES if not name.startswith("."))
    listed = [name for name in names(ftp) if not name.startswith(".") and name != "sample.bin"]
    same("NLST", listed, visible)
    for name in NAMES:
        ftp.delete(name)

    step("empty files")
    write(local, b"")
    store(ftp, "empty", local)
    same("size on the server", os.path.getsize(os.path.join(root, "empty")), 0)
    same("what a download brings", fetch(ftp, "empty"), b"")
    same("SIZE", ftp.size("empty"), 0)
    ftp.delete("empty")

    step("text in ASCII, there and back")
    write(local, b"one\ntwo\n\nfour\n")
    with open(local, "rb") as file:
        ftp.storlines("STOR text", file)
    same("text on the server", open(os.path.join(root, "text"), "rb").read(), b"one\ntwo\n\nfour\n")
    same("text", lines(ftp, "RETR text"), ["one", "two", "", "four"])
    ftp.delete("text")
    ftp.delete("sample.bin")


def crowd(ftp, root, work):
    directory = "crowd"
    wanted = sorted(os.listdir(os.path.join(root, directory)))
    step("list %d files: NLST, LIST, MLSD" % len(wanted))
    ftp.cwd(directory)
    same("NLST", names(ftp), wanted)
    found = [line.split(None, 8)[8] for line in lines(ftp, "LIST") if not line.startswith("total ")]
    same("LIST", sorted(found), wanted)
    found = [name for name, facts in ftp.mlsd() if facts["type"].lower() == "file"]
    same("MLSD", sorted(found), wanted)


def large(ftp, root, work):
    path = os.path.join(root, "large.bin")
    step("download %d bytes" % os.path.getsize(path))
    with open(path, "rb") as file:

        def compare(chunk):
            if chunk != file.read(len(chunk)):
                raise Difference("bytes differ before %d" % file.tell())

        ftp.retrbinary("RETR large.bin", compare, blocksize=1 << 18)
        same("bytes received", file.tell(), os.path.getsize(path))
    step("upload it again")
    with open(path, "rb") as file:
        ftp.storbinary("STOR again.bin", file, blocksize=1 << 18)
    again = os.path.join(root, "again.bin")
    same("equal on the server", filecmp.cmp(path, again, shallow=False), True)
    ftp.delete("again.bin")


def short(ftp, root, work):
    wanted = checksum(os.path.join(root, "from-server.bin"))
    step("list")
    if not any(line.endswith(" from-server.bin") for line in lines(ftp, "LIST")):
        raise Difference("LIST does not show from-server.bin")
    step("download")
    same("sha256", sha256(fetch(ftp, "from-server.bin")), wanted)
    step("upload")
    data = noise(600017, 2)
    local = os.path.join(work, "sample")
    write(local, data)
    store(ftp, "from-ftplib.bin", local)
    same("sha256 on the server", checksum(os.path.join(root, "from-ftplib.bin")), sha256(data))
    ftp.delete("from-ftplib.bin")


def broken(ftp, root, work):
    sample = noise(600017, 3)
    half = 300001
    local = os.path.join(work, "sample")
    write(local, sample)
    for command in ("STOR", "APPE"):
        name = command + ".bin"
        on_disk = os.path.join(root, name)
        write(on_disk, noise(400000, 4))
        step("break an upload")
        ftp.voidcmd("TYPE I")
        with ftp.transfercmd("STOR " + name) as data:
            data.sendall(sample[:half])
            while "%d bytes so far" % half not in ftp.sendcmd("STAT"):
                pass
            data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        refused("426", ftp.voidresp)
        step("go on with " + command)
        size = ftp.size(name)
        same("SIZE of the piece", size, half)
        store(ftp, name, local, size, command=command, rest=size if command == "STOR" else None)
        same("sha256 on the server", checksum(on_disk), sha256(sample))
        ftp.delete(name)


def named(ftp, root, work, wanted):
    local = os.path.join(work, "sample")
    for seed, name in enumerate(wanted):
        step(name)
        data = noise(1000 + seed, seed)
        write(local, data)
        same("MKD's answer", ftp.mkd(name), "/" + name)
        ftp.cwd(name)
        same("PWD", ftp.pwd(), "/" + name)
        store(ftp, name + ".bin", local)
        on_disk = os.path.join(root, name, name + ".bin")
        same("sha256 on the server", checksum(on_disk), sha256(data))
        same("sha256", sha256(fetch(ftp, name + ".bin")), sha256(data))
        same("NLST", names(ftp), [name + ".bin"])
        same("NLST with a pattern", names_of(ftp, name[0] + "*"), [name + ".bin"])
        same("LIST", [line.split(None, 8)[8] for line in lines(ftp, "LIST")], [name + ".bin"])
        same("MLSD", [entry for entry, facts in ftp.mlsd() if facts["type"] == "file"], [name + ".bin"])
        ftp.rename(name + ".bin", "../" + name + " moved")
        same("moved", os.path.exists(os.path.join(root, name + " moved")), True)
        ftp.cwd("/")
        ftp.voidcmd("TYPE I")
        same("SIZE", ftp.size(name + " moved"), len(data))
        ftp.delete(name + " moved")
        ftp.rmd(name)
    same("names on disk", os.listdir(root), [])


def names_of(ftp, pattern):
    return sorted(ftp.nlst(pattern))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--root", required=True, help="the served directory on disk")
    parser.add_argument("--work", required=True, help="a directory for the client's own files")
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument("--active", action="store_true")
    parser.add_argument("--trust-pasv", action="store_true", help="dial the address that a 227 names")
    parser.add_argument("session", choices=["full", "crowd", "large", "short", "broken", "names"])
    parser.add_argument("--encoding", default="utf-8", help="the charset of names on the wire")
    parser.add_argument("--name", action="append", help="for the session names")
    options = parser.parse_args()
    sessions = {"full": full, "crowd": crowd, "large": large, "short": short, "broken": broken}
    sessions["names"] = lambda ftp, root, work: named(ftp, root, work, options.name)
    session = sessions[options.session]
    ftp = Client(timeout=options.timeout, encoding=options.encoding)
    ftp.set_pasv(not options.active)
    ftp.trust_server_pasv_ipv4_address = options.trust_pasv
    try:
        step("connect and log in")
        ftp.connect(options.host, options.port)
        ftp.login(options.user, options.password)
        session(ftp, options.root, options.work)
        same("QUIT's answer", ftp.quit()[:3], "221")
    except (Difference, OSError, EOFError, ftplib.Error) as error:
        sys.exit("%s: %s" % (type(error).__name__, error))


if __name__ == "__main__":
    main()
