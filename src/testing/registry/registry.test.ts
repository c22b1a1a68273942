import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { SystemClock, silentLog } from "../../base/index.ts";
import { createImageStore } from "../../runtime/images/index.ts";
import { buildDemoImages } from "../images/index.ts";
import { ensureLocalRegistry, localRegistryStatus, stopLocalRegistry } from "./index.ts";

const clock = new SystemClock();
const cache = join(process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod", "images");

describe("a registry on loopback, as docker.io's mirror", { timeout: 120_000 }, () => {
  let dir: string;
  let images: Awaited<ReturnType<typeof buildDemoImages>>;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "peapod-registry-"));
    images = await buildDemoImages(cache);
  });
  after(async () => {
    await stopLocalRegistry({ dir, clock });
    await rm(dir, { recursive: true, force: true });
  });

  test("serves nginx and busybox to a pull by their short names, layers shared", async () => {
    const registry = await ensureLocalRegistry({ dir, clock, images });
    const config = { mirrors: registry.mirrors, configs: {} };
    const store = await createImageStore({
      dir: join(dir, "images"),
      clock,
      log: silentLog,
      registries: config,
    });
    try {
      const nginx = await store.pull("nginx");
      assert.deepEqual(nginx.repoTags, ["docker.io/library/nginx:latest"]);
      assert.deepEqual(nginx.config.Cmd, ["nginx", "-g", "daemon off;"]);
      assert.equal(nginx.config.StopSignal, "SIGQUIT");
      const busybox = await store.pull("busybox");
      const [base] = (await store.rootfs(busybox.id)).layers;
      assert.equal((await store.rootfs(nginx.id)).layers[0], base);
      assert.ok((await readdir(join(base!, "bin"))).includes("wget"));
    } finally {
      await store.close();
    }
  });

  test("is found again, and starts anew on the same port after a stop", async () => {
    const first = await ensureLocalRegistry({ dir, clock, images });
    const again = await ensureLocalRegistry({ dir, clock, images });
    assert.deepEqual(again, first);
    await stopLocalRegistry({ dir, clock });
    assert.equal(await localRegistryStatus(dir), undefined);
    const anew = await ensureLocalRegistry({ dir, clock, images: [] });
    assert.equal(anew.host, first.host);
    assert.notEqual(anew.pid, first.pid);
  });

  test("says which package has the program, where it is missing", async () => {
    const start = ensureLocalRegistry({
      dir: join(dir, "none"),
      clock,
      images: [],
      program: "no-such-registry",
    });
    await assert.rejects(start, /Debian package docker-registry/);
  });
});
