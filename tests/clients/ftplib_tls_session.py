#!/usr/bin/env python3
"""Python's FTP_TLS: upload, list, download, each many times in one session.

Prints each step before it is done and exits 1 with one line at the first difference. With --reuse, data
connections resume the TLS session of the control connection, which ftplib does not do by itself.
"""

import argparse
import ftplib
import io
import ssl
import sys

SIZES = [0, 1, 16383, 16384, 16385, 200000]
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Reusing(ftplib.FTP_TLS):
    """Resumes, and knows how often that came off."""

    resumed = 0
    connected = 0

    def ntransfercmd(self, cmd, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        connection = self.context.wrap_socket(
            connection, server_hostname=self.host, session=self.sock.session
        )
        self.connected += 1
        self.resumed += connection.session_reused
        return connection, size


def session(client, rounds):
    for round_ in range(rounds):
        size = SIZES[round_ % len(SIZES)]
        sent = bytes((place * 7 + round_) % 251 for place in range(size))
        client.storbinary("STOR sample", io.BytesIO(sent))
        received = io.BytesIO()
        client.retrbinary("RETR sample", received.write)
        if received.getvalue() != sent:
            sys.exit("%d bytes came back as %d" % (size, len(received.getvalue())))
        if client.nlst() != ["sample"]:
            sys.exit("the listing is not that of one file")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("authority")
    parser.add_argument("version", choices=VERSIONS)
    parser.add_argument("--active", action="store_true")
    parser.add_argument("--reuse", action="store_true")
    options = parser.parse_args()
    context = ssl.create_default_context(cafile=options.authority)
    context.minimum_version = context.maximum_version = VERSIONS[options.version]
    client = (Reusing if options.reuse else ftplib.FTP_TLS)(context=context, timeout=20)
    client.connect(options.host, options.port)
    client.login(options.user, options.password)
    client.prot_p()
    client.set_pasv(not options.active)
    print("transfers", flush=True)
    session(client, 12)
    if options.reuse and client.resumed != client.connected:
        sys.exit("%d of %d resumed" % (client.resumed, client.connected))
    client.quit()


main()
