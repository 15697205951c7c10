#!/usr/bin/env python3
"""What aioftp makes of links, in the current directory: aioftp_links.py HOST PORT USER PASSWORD.

What must lie in the directory, and what is compared afterwards, says the test that runs this. Ends with the first
thing that fails.
"""

import asyncio
import sys

import aioftp


async def main(host, port, user, password):
    login = {"user": user, "password": password, "socket_timeout": 20}
    async with aioftp.Client.context(host, int(port), **login) as client:
        await client.download("tree", "down", write_into=True)
        await client.upload("local", "up", write_into=True)
        for path, facts in await client.list("tree"):
            if facts["type"] not in ("file", "dir"):
                print(path.name, facts["type"])


asyncio.run(main(*sys.argv[1:]))
