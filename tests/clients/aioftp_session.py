#!/usr/bin/env python3
"""A user's session with aioftp, in the current directory: aioftp_session.py HOST PORT USER PASSWORD MODE.

MODE is as-it-is or pasv. What must lie in the directory, and what is compared afterwards, says the test that runs
this. Prints "NAME SIZE" for each file in the directory odd; ends with the first thing that fails.
"""

import asyncio
import os
import pathlib
import sys

import aioftp

BLOCK_BYTES = 65536


def same(what, found, wanted):
    if found != wanted:
        sys.exit("%s: found %r, wanted %r" % (what, found, wanted))


async def send(opening, file):
    async with opening as stream:
        while block := file.read(BLOCK_BYTES):
            await stream.write(block)


async def receive(opening, file):
    async with opening as stream:
        async for block in stream.iter_by_block(BLOCK_BYTES):
            file.write(block)


async def files(client):
    await client.upload("sample", "sample", write_into=True)
    await client.download("sample", "copy", write_into=True)
    facts = await client.stat("sample")
    same("size", int(facts["size"]), os.path.getsize("sample"))
    same("type", facts["type"], "file")

    half = os.path.getsize("part")
    with open("part", "ab") as file:
        await receive(client.download_stream("sample", offset=half), file)
    with open("rest", "rb") as file:
        await send(client.upload_stream("part", offset=half), file)
    with open("rest", "rb") as file:
        await send(client.append_stream("appended"), file)


async def directories(client):
    await client.make_directory("one/two")
    await client.change_directory("one/two")
    same("directory", str(await client.get_current_directory()), "/one/two")
    await client.change_directory("/")
    await client.rename("sample", "one/two/moved")
    await client.rename("one/two/moved", "sample")
    await client.remove("one")
    same("exists", await client.exists("one"), False)


async def names(client):
    await client.make_directory("odd")
    for name in pathlib.Path("names").read_text("utf-8").splitlines():
        await client.upload(name, "odd/" + name, write_into=True)
        await client.download("odd/" + name, "back/" + name, write_into=True)
    await client.upload("tree", "up", write_into=True)
    await client.download("up", "down", write_into=True)
    # With the command LIST as well, whose lines it takes apart by itself.
    listed = await client.list("odd", raw_command="LIST")
    machine = await client.list("odd", raw_command="MLSD")
    same("names by LIST", sorted(p.name for p, _ in listed), sorted(p.name for p, _ in machine))
    for path, facts in machine:
        same("type", facts["type"], "file")
        print(path.name, facts["size"])


async def main(host, port, user, password, mode):
    passive = {"as-it-is": {}, "pasv": {"passive_commands": ("pasv",)}}[mode]
    login = {"user": user, "password": password, "socket_timeout": 20, **passive}
    async with aioftp.Client.context(host, int(port), **login) as client:
        await files(client)
        await directories(client)
        await names(client)
        try:
            await client.download("missing", "missing", write_into=True)
        except aioftp.StatusCodeError as error:
            same("code for a missing file", error.received_codes[-1], "550")
        else:
            sys.exit("a missing file was fetched")
        await client.remove_file("sample")


asyncio.run(main(*sys.argv[1:]))
