import { lookup } from "node:dns/promises";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parse, stringify } from "yaml";
import { replaceFile, SystemClock } from "../base/index.ts";
import { buildDemoImages } from "./images/index.ts";
import { ensureLocalRegistry } from "./registry/index.ts";

export interface DemoImagesOptions {
  /** Where the built images are kept for the next time. */
  cacheDir: string;
  /** Of this cluster's own registry. */
  registryDir: string;
  /** The cluster's `registries.yaml`, which gets the mirror. */
  registries: string;
  /** `debian`: build them, without asking whether Docker Hub is there. */
  source: "debian" | "auto";
  task<T>(title: string, work: () => Promise<T>): Promise<T>;
}

const hubHost = "registry-1.docker.io";

/**
 * Makes `nginx` and `busybox` pullable where Docker Hub cannot be reached: built from Debian's packages, served by a
 * real registry on loopback, found through the mirror setting. Returns what to tell the user, or undefined when
 * Docker Hub or a mirror of the user's own will do.
 */
export async function provideDemoImages(options: DemoImagesOptions): Promise<string | undefined> {
  const config = existsSync(options.registries)
    ? (parse(readFileSync(options.registries, "utf8")) ?? {})
    : {};
  const ours = existsSync(options.registryDir);
  if (!ours && config.mirrors?.["docker.io"]) return undefined;
  if (!ours && options.source === "auto" && (await resolves(hubHost))) return undefined;

  const lines: string[] = [];
  const build = () => buildDemoImages(options.cacheDir, { onProgress: (line) => lines.push(line) });
  const images = existsSync(options.cacheDir)
    ? await build()
    : await options.task("Building the images nginx and busybox from Debian's packages", build);
  const registry = await ensureLocalRegistry({ dir: options.registryDir, clock: new SystemClock(), images });
  const mirrors = { ...config.mirrors, ...registry.mirrors };
  if (JSON.stringify(mirrors) !== JSON.stringify(config.mirrors)) {
    mkdirSync(dirname(options.registries), { recursive: true });
    replaceFile(options.registries, stringify({ ...config, mirrors }), { mode: 0o600 });
  }
  return `Docker Hub cannot be reached: nginx and busybox are built from Debian's packages and served by a registry on ${registry.host}.`;
}

async function resolves(host: string): Promise<boolean> {
  try {
    await lookup(host);
    return true;
  } catch {
    return false;
  }
}
