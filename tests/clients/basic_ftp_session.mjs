// A user's session with basic-ftp, in the current directory: basic_ftp_session.mjs MODULE HOST PORT USER PASSWORD MODE.
//
// MODULE is where basic-ftp lies. MODE is as-it-is; or pasv: without EPSV, and refusing another address in the 227; or
// tls: explicit, trusting any certificate. What must lie in the directory, and what is compared afterwards, says the
// test that runs this.
// Prints "NAME SIZE" for each file in the directory odd; ends with the first thing that fails.

import assert from "node:assert/strict"
import { readFileSync, statSync } from "node:fs"
import { createRequire } from "node:module"

const [place, host, port, user, password, mode] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const { Client } = require(place)
const { enterPassiveModeIPv4_forceControlHostIP: pasv } = require(`${place}/dist/transfer.js`)

async function session(client) {
    const tls = { secure: mode === "tls", secureOptions: { rejectUnauthorized: false } }
    await client.access({ host, port: Number(port), user, password, ...tls })
    if (mode === "pasv") {
        assert.ok(pasv, "this version has the function")
        client.prepareTransfer = pasv
    }
    await client.uploadFrom("sample", "sample")
    await client.downloadTo("copy", "sample")
    assert.equal(await client.size("sample"), statSync("sample").size)
    assert.ok(await client.lastMod("sample") instanceof Date)

    const half = statSync("part").size
    await client.downloadTo("part", "sample", half)
    // It has no REST before STOR, but sends a part of a file on request.
    await client.appendFrom("sample", "part", { localStart: half })
    await client.appendFrom("rest", "appended")

    await client.ensureDir("one/two")
    assert.equal(await client.pwd(), "/one/two")
    await client.cd("/")
    await client.rename("sample", "one/two/moved")
    await client.rename("one/two/moved", "sample")
    await client.removeDir("one")

    await client.ensureDir("odd")
    await client.cd("/")
    for (const name of readFileSync("names", "utf8").split("\n").filter(Boolean)) {
        await client.uploadFrom(`./${name}`, `odd/${name}`)
        await client.downloadTo(`back/${name}`, `odd/${name}`)
    }
    await client.uploadFromDir("tree", "up")
    await client.cd("/")
    await client.downloadToDir("down", "up")

    for (const entry of await client.list("odd")) {
        assert.ok(entry.isFile, entry.name)
        console.log(`${entry.name} ${entry.size}`)
    }
    await assert.rejects(client.downloadTo("missing", "missing"), { code: 550 })
    await client.remove("sample")
}

const client = new Client(20000)
try {
    await session(client)
} finally {
    client.close()
}
