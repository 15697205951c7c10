// What basic-ftp makes of links and of transfers that end, in the current directory:
// basic_ftp_links.mjs MODULE HOST PORT USER PASSWORD.
//
// MODULE is where basic-ftp lies. What must lie in the directory, and what is compared afterwards, says the test that
// runs this. Ends with the first thing that fails.

import assert from "node:assert/strict"
import { readFileSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { Readable, Writable } from "node:stream"
import { setTimeout } from "node:timers/promises"

const [place, host, port, user, password] = process.argv.slice(2)
const { Client } = createRequire(import.meta.url)(place)

async function open() {
    const client = new Client(20000)
    await client.access({ host, port: Number(port), user, password, secure: false })
    return client
}

async function trees(client) {
    await client.downloadToDir("down", "tree")
    await client.uploadFromDir("local", "up")
    await client.cd("/")
    const links = (await client.list("tree")).filter((entry) => entry.isSymbolicLink)
    for (const entry of links) {
        console.log(`${entry.name} ${entry.link}`)
    }
}

// The connection ends in the middle of an upload. A new one asks how much is there, and appends the rest.
async function upload(client) {
    const whole = readFileSync("sample")
    const lost = await open()
    const pieces = Readable.from((async function* () {
        for (let at = 0; at < whole.length / 2; at += 65536) {
            yield whole.subarray(at, at + 65536)
            await setTimeout(1)
        }
        lost.close()
        yield whole.subarray(0, 1)
    })())
    await assert.rejects(lost.uploadFrom(pieces, "broken"))
    const size = await settled(client, "broken")
    assert.ok(size < whole.length, `${size} bytes`)
    await client.appendFrom("sample", "broken", { localStart: size })
}

// The same with a download, which goes on where the local file ends.
async function download(client) {
    const lost = await open()
    const pieces = new Writable({
        write(piece, encoding, done) {
            lost.close()
            done()
        },
    })
    await assert.rejects(lost.downloadTo(pieces, "sample"))
    await client.downloadTo("part", "sample", statSync("part").size)
}

// The size of a file that another session has left, once the server has seen its end.
async function settled(client, name) {
    for (let tries = 0; tries < 1000; tries += 1) {
        const entries = await client.list()
        const found = entries.find((entry) => entry.name === name)
        if (found) {
            return found.size
        }
        await setTimeout(10)
    }
    throw new Error(`there is no ${name}`)
}

const client = await open()
try {
    await trees(client)
    await upload(client)
    await download(client)
} finally {
    client.close()
}
