import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach } from "node:test";
import { SystemClock, silentLog } from "../../base/index.ts";
import { FakeRegistry, tarOf } from "./fake-registry.suite.ts";
import { createImageStore, type ImageStoreOptions, type OpenImageStore } from "./index.ts";

// What every test of the store has: a directory, a registry and a store, fresh for each test of the importing file.

export const clock = new SystemClock();
export const hello = tarOf([
  { name: "etc", type: "directory" },
  { name: "etc/hello", content: "hello\n", mode: 0o640, uid: 7, gid: 8, mtimeS: 1_234_567_890 },
]);

export let top: string;
export let registry: FakeRegistry;
export let store: OpenImageStore;
const opened: OpenImageStore[] = [];
let keepAlive: NodeJS.Timeout;

before(() => {
  // A clock's timers do not hold a process, and a test waits.
  keepAlive = setInterval(() => {}, 1000);
});
beforeEach(async () => {
  await closeAll();
  top = fs.mkdtempSync(join(tmpdir(), "peapod-images-"));
  registry = await new FakeRegistry().start();
  store = await open();
});
after(async () => {
  await closeAll();
  clearInterval(keepAlive);
});

export async function open(options: Partial<ImageStoreOptions> = {}): Promise<OpenImageStore> {
  const registries = { mirrors: { "docker.io": { endpoint: [`http://${registry.host}`] } }, configs: {} };
  const created = await createImageStore({
    dir: join(top, "images"),
    clock,
    log: silentLog,
    registries,
    ...options,
  });
  opened.push(created);
  return created;
}
async function closeAll() {
  for (const one of opened.splice(0)) await one.close();
  await registry?.stop();
  if (top) fs.rmSync(top, { recursive: true, force: true });
}
/** The first layer's directory of an image that is pulled. */
export async function pulledLayers(name: string, from = store): Promise<string[]> {
  const image = await from.pull(name);
  return (await from.rootfs(image.id)).layers;
}
export const temporaries = () => fs.readdirSync(join(top, "images/tmp"));
export const layerDirectories = () => fs.readdirSync(join(top, "images/layers"));
