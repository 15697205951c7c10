#!/usr/bin/env python3
"""Writes FileZilla's settings and its queue:
filezilla_home.py HOME LOG HOST PORT USER PASSWORD MODE CONNECTIONS [CERTIFICATE] < TRANSFERS.

MODE is default or active. CONNECTIONS is how many transfers it may make at once; 0 is no limit. With a CERTIFICATE, as
PEM, it uses TLS and trusts that one. Each line of TRANSFERS is one transfer, five fields with tabs between them: up or
down, local directory, local name, remote directory from the root, remote name. The tables are those that FileZilla
3.63 makes; user_version tells it so.
"""

import pathlib
import sqlite3
import ssl
import sys
import time
from xml.sax.saxutils import escape

RESUME = 5
SETTINGS = {
    "Greeting version": "99.0.0",
    "Update Check": "0",
    "Disable update check": "1",
    # It does not wait and try again: a transfer that has failed once would look like one that works.
    "Reconnect count": "0",
    "File exists action upload": str(RESUME),
    "File exists action download": str(RESUME),
}
PAGE = '<?xml version="1.0" encoding="UTF-8"?>\n<FileZilla3 version="3.63.0" platform="*nix">%s</FileZilla3>\n'
TABLES = """
    CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, host TEXT NOT NULL, port INTEGER, user TEXT,
        password TEXT, account TEXT, keyfile TEXT, protocol INTEGER, type INTEGER, logontype INTEGER,
        timezone_offset INTEGER, transfer_mode TEXT, max_connections INTEGER, encoding TEXT, bypass_proxy INTEGER,
        post_login_commands TEXT, name TEXT, parameters TEXT, site_path TEXT DEFAULT NULL);
    CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, server INTEGER NOT NULL, source_file TEXT,
        target_file TEXT, local_path INTEGER, remote_path INTEGER, size INTEGER, error_count INTEGER,
        priority INTEGER, flags INTEGER, default_exists_action INTEGER, extra_flags TEXT);
    CREATE TABLE local_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
    CREATE TABLE remote_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
    PRAGMA user_version = 7;
"""
# FTP without TLS, and explicit FTPS; a user with a password; a transfer of usual priority.
PLAIN_FTP, EXPLICIT_FTPS, NORMAL_LOGON, USUAL = 6, 4, 1, 2
UPLOAD, DOWNLOAD = 0, 16
DAY = 24 * 60 * 60


def settings(log):
    pairs = dict(SETTINGS, **{"Logging file": log})
    lines = ['<Setting name="%s">%s</Setting>' % (name, escape(value)) for name, value in pairs.items()]
    return PAGE % ("<Settings>" + "".join(lines) + "</Settings>")


def remote_path(path):
    """FileZilla's own way to write a path: its kind, no prefix, and each part after its length."""
    parts = [part for part in path.split("/") if part]
    return "1 0" + "".join(" %d %s" % (len(part), part) for part in parts)


def queue(path, host, port, user, password, protocol, mode, connections, transfers):
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    database.execute(
        "INSERT INTO servers (id, host, port, user, password, protocol, type, logontype, timezone_offset,"
        " transfer_mode, max_connections, encoding, bypass_proxy) VALUES (1, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, 'Auto', 0)",
        (host, port, user, password, protocol, NORMAL_LOGON, mode, connections),
    )
    for line in transfers:
        way, local, local_name, remote, remote_name = line.rstrip("\n").split("\t")
        add = database.execute
        local_id = add("INSERT INTO local_paths (path) VALUES (?)", (local.rstrip("/") + "/",)).lastrowid
        remote_id = add("INSERT INTO remote_paths (path) VALUES (?)", (remote_path(remote),)).lastrowid
        names = (local_name, remote_name) if way == "up" else (remote_name, local_name)
        flags = UPLOAD if way == "up" else DOWNLOAD
        add(
            "INSERT INTO files (server, source_file, target_file, local_path, remote_path, size, error_count, priority,"
            " flags, default_exists_action) VALUES (1, ?, ?, ?, ?, -1, 0, ?, ?, ?)",
            (*names, local_id, remote_id, USUAL, flags, RESUME),
        )
    database.commit()
    database.close()


def trusted(host, port, certificate):
    """What FileZilla writes when somebody has said that this certificate is the right one."""
    der = ssl.PEM_cert_to_DER_cert(pathlib.Path(certificate).read_text("ascii"))
    now = int(time.time())
    return (
        "<TrustedCerts><Certificate><Data>%s</Data><ActivationTime>%d</ActivationTime>"
        "<ExpirationTime>%d</ExpirationTime><Host>%s</Host><Port>%s</Port><TrustSANs>0</TrustSANs>"
        "</Certificate></TrustedCerts>" % (der.hex(), now - DAY, now + DAY, host, port)
    )


def main(home, log, host, port, user, password, mode, connections, certificate=None):
    directory = pathlib.Path(home, ".config", "filezilla")
    directory.mkdir(parents=True)
    directory.joinpath("filezilla.xml").write_text(settings(log), "utf-8")
    if certificate:
        protocol, known = EXPLICIT_FTPS, trusted(host, port, certificate)
    else:
        # Else it asks whether a connection without TLS is meant.
        known = '<InsecureHosts><Host Port="%s">%s</Host></InsecureHosts>' % (port, host)
        protocol = PLAIN_FTP
    directory.joinpath("trustedcerts.xml").write_text(PAGE % known, "utf-8")
    transfers = sys.stdin.buffer.read().decode("utf-8").splitlines()
    queue(directory / "queue.sqlite3", host, int(port), user, password, protocol, mode, int(connections), transfers)


main(*sys.argv[1:])
