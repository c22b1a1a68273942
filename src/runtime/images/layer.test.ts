import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import koffi from "koffi";
import { type Log, silentLog } from "../../base/index.ts";
import { tarOf } from "./fake-registry.suite.ts";
import {
  hello,
  layerDirectories,
  open,
  pulledLayers,
  registry,
  store,
  temporaries,
  top,
} from "./store-fixture.suite.ts";

const getxattr = koffi
  .load(null)
  .func("long getxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)");
function xattr(path: string, name: string): Buffer {
  const value = Buffer.alloc(256);
  return value.subarray(0, Number(getxattr(path, name, value, value.length)));
}

describe("a layer", () => {
  /** The layer's tree after a pull, or the failure. */
  async function unpack(...layers: Parameters<typeof tarOf>[0][]): Promise<string[]> {
    registry.add("library/app", "latest", { layers: layers.map(tarOf) });
    return pulledLayers("app");
  }

  test("cannot write outside itself, by dots, absolute names, or links", async () => {
    const outside = join(top, "outside");
    fs.mkdirSync(outside);
    for (const name of ["../../../escaped", "a/../../escaped"]) {
      await assert.rejects(unpack([{ name, content: "x" }]), /points outside the layer/);
    }
    const [layer] = await unpack([
      { name: "/absolute", content: "inside" },
      { name: "link", type: "symlink", linkName: outside },
      { name: "usr", type: "directory" },
      { name: "lib", type: "symlink", linkName: "usr" },
      { name: "lib/inside", content: "through a link" },
      { name: "up", type: "symlink", linkName: "../../../../../../../.." },
    ]);
    assert.equal(fs.readFileSync(join(layer!, "absolute"), "utf8"), "inside");
    assert.equal(fs.readlinkSync(join(layer!, "link")), outside);
    assert.equal(fs.readFileSync(join(layer!, "usr/inside"), "utf8"), "through a link");
    await assert.rejects(
      unpack([
        { name: "link", type: "symlink", linkName: outside },
        { name: "link/escaped", content: "x" },
      ]),
    );
    await assert.rejects(
      unpack([{ name: "steal", type: "hardlink", linkName: "/etc/passwd" }]),
      /hard link "steal" to "\/etc\/passwd": ENOENT/,
    );
    assert.deepEqual(fs.readdirSync(outside), []);
  });

  test("hides what is below it in overlayfs' way, as an overlay of the layers shows", async () => {
    const layers = await unpack(
      [
        { name: "gone", content: "x" },
        { name: "dir", type: "directory" },
        { name: "dir/below", content: "x" },
        { name: "replaced", type: "directory" },
        { name: "replaced/below", content: "x" },
        { name: "deep", type: "directory", mode: 0o700, uid: 5, gid: 6 },
      ],
      [
        { name: ".wh.gone" },
        { name: "dir", type: "directory" },
        { name: "dir/.wh..wh..opq" },
        { name: "dir/above", content: "x" },
        { name: ".wh.replaced" },
        { name: "replaced", type: "directory" },
        { name: "replaced/above", content: "x" },
        { name: "deep/er", content: "implied parent" },
      ],
    );
    const script = [
      `mount -t overlay overlay -o ro,lowerdir=${[...layers].reverse().join(":")} ${top}/merged`,
      `cd ${top}/merged`,
      "find . | sort",
      "stat -c '%a %u %g' deep",
    ].join(" && ");
    fs.mkdirSync(join(top, "merged"));
    const shown = execFileSync("unshare", ["-m", "sh", "-c", script], { encoding: "utf8" });
    const names = [".", "./deep", "./deep/er", "./dir", "./dir/above", "./replaced", "./replaced/above"];
    assert.deepEqual(shown.trim().split("\n"), [...names, "700 5 6"]);
  });

  test("keeps capabilities and user xattrs, setuid bits, odd names, fifos and times of directories", async () => {
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    const record = { "SCHILY.xattr.user.note": "a note", path: `${"long/".repeat(40)}name-ü` };
    const [layer] = await unpack([
      { name: "short", content: "x", pax: record },
      {
        name: "ping",
        content: "x",
        mode: 0o4755,
        uid: 3,
        pax: { "SCHILY.xattr.security.capability": capability },
      },
      { name: "pipe", type: "fifo" },
      { name: "old", type: "directory", mtimeS: 1_111_111_111 },
      { name: "old/file", content: "x" },
      { name: "ping-link", type: "hardlink", linkName: "ping" },
    ]);
    const odd = join(layer!, record.path);
    assert.equal(fs.readFileSync(odd, "utf8"), "x");
    assert.equal(fs.statSync(join(layer!, "ping")).mode & 0o7777, 0o4755);
    assert.equal(fs.statSync(join(layer!, "ping")).ino, fs.statSync(join(layer!, "ping-link")).ino);
    assert.deepEqual(xattr(join(layer!, "ping"), "security.capability"), capability);
    assert.equal(xattr(odd, "user.note").toString(), "a note");
    assert.ok(fs.statSync(join(layer!, "pipe")).isFIFO());
    assert.equal(fs.statSync(join(layer!, "old")).mtimeMs, 1_111_111_111_000);
  });

  test("gets no device node of this machine, and cannot forge overlayfs' xattrs", async () => {
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_: unknown, text: string) => warnings.push(text) } as unknown as Log;
    const careful = await open({ dir: join(top, "careful"), log });
    registry.add("library/app", "latest", {
      layers: [
        tarOf([
          { name: "null", type: "char", device: [1, 3], mode: 0o666 },
          { name: "sda", type: "block", device: [8, 0] },
          { name: "mem", type: "char", device: [1, 1] },
          { name: "dir", type: "directory", pax: { "SCHILY.xattr.trusted.overlay.redirect": "/etc" } },
        ]),
      ],
    });
    const [layer] = await pulledLayers("app", careful);
    assert.deepEqual(fs.readdirSync(layer!).sort(), ["dir", "null"]);
    assert.equal(fs.statSync(join(layer!, "null")).rdev, 0x103);
    assert.equal(warnings.length, 3);
  });

  test("that is no tar, or stops in the middle, is refused", async () => {
    registry.add("library/text", "latest", { layers: [Buffer.from("not a tar at all".repeat(100))] });
    await assert.rejects(store.pull("text"), /failed to extract layer sha256:\w+: invalid tar header/);
    registry.add("library/cut", "latest", { layers: [hello.subarray(0, 700)] });
    await assert.rejects(store.pull("cut"), /unexpected end of tar archive/);
    assert.deepEqual([layerDirectories(), temporaries()], [[], []]);
  });
});
