import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, type Log, replaceFile, SystemClock, SystemRandom } from "./base/index.ts";
import { type DataDir, UserError } from "./cli/index.ts";
import { createBridgeNetwork } from "./network/index.ts";
import {
  createCriRuntime,
  createImageStore,
  createOciRuntime,
  imagesInUse,
  type OpenImageStore,
  type PodNetwork,
  purgeOciRuntime,
  type Runtime,
  readRegistriesConfig,
  serveCri,
} from "./runtime/index.ts";

/*
 * The part of the composition that is about a node's engine: Peapod's own, or another one behind a CRI endpoint; and
 * Peapod's own by itself, served to others.
 */

const clock = new SystemClock();
const random = new SystemRandom();

/** A cluster's own name on this host, for links, tables, cgroups and mounts: short, and the same at every start. */
export function instanceOf(dir: DataDir): { id: string; runDir: string; cgroupRoot: string } {
  const id = createHash("sha256").update(dir.root).digest("hex").slice(0, 8);
  return { id, runDir: `/run/peapod/${id}`, cgroupRoot: `peapod-${id}` };
}

/** Remembered, so that a cluster's pods are found by the engine that runs them whoever asks later. */
const endpointFile = (dir: DataDir) => join(dir.root, "runtime-endpoint");

/** The CRI endpoint that the cluster was started with, if its engine is not Peapod's own. */
function rememberedEndpoint(dir: DataDir): string | undefined {
  return existsSync(endpointFile(dir)) ? readFileSync(endpointFile(dir), "utf8").trim() : undefined;
}

/**
 * The endpoint that this start asks for, or the remembered one when it asks for none. A cluster does not change its
 * engine: its pods would run on, unseen, in the other.
 */
export function chooseEndpoint(dir: DataDir, given: string | undefined): string | undefined {
  const known = rememberedEndpoint(dir);
  if (given === undefined || given === known) return known;
  if (known !== undefined || existsSync(dir.runtime)) {
    throw new UserError(`this cluster's engine is ${known ?? "Peapod's own"}, and stays it`, {
      remedy: "peapod down --purge, or choose another --data-dir",
    });
  }
  return given;
}

/** Starts Peapod's own engine, or connects to the one at `endpoint`, which is remembered from then on. */
export async function openRuntime(
  dir: DataDir,
  parts: { images: OpenImageStore; network: PodNetwork; log: Log; endpoint: string | undefined },
): Promise<Runtime> {
  const { endpoint, ...rest } = parts;
  if (endpoint === undefined) {
    const { runDir, cgroupRoot } = instanceOf(dir);
    return createOciRuntime({ dir: dir.runtime, runDir, cgroupRoot, clock, random, ...rest });
  }
  const runtime = await connect(dir, endpoint, parts.log);
  replaceFile(endpointFile(dir), `${endpoint}\n`, { mode: 0o600 });
  return runtime;
}

async function connect(dir: DataDir, endpoint: string, log: Log): Promise<Runtime> {
  const { id, cgroupRoot } = instanceOf(dir);
  try {
    return await createCriRuntime({ endpoint, owner: id, cgroupRoot, clock, log });
  } catch (cause) {
    throw new UserError((cause as Error).message, { remedy: "start it, and see that it serves CRI", cause });
  }
}

export async function openImageStore(
  dir: DataDir,
  log: Log,
  inUse: () => Promise<Set<string>>,
): Promise<OpenImageStore> {
  const registries = await readRegistriesConfig(dir.registries);
  return createImageStore({ dir: dir.images, clock, log, registries, env: process.env, inUse });
}

/** Removes everything of the cluster's that the engine holds. */
export async function purgeEngine(dir: DataDir): Promise<void> {
  const { runDir, cgroupRoot } = instanceOf(dir);
  const endpoint = rememberedEndpoint(dir);
  if (endpoint !== undefined) {
    const runtime = await connect(dir, endpoint, createLog("error"));
    const sandboxes = await runtime.listPodSandboxes();
    await Promise.all(sandboxes.map((sandbox) => runtime.removePodSandbox(sandbox.id)));
    await runtime.close();
  }
  await purgeOciRuntime({ dir: dir.runtime, runDir, cgroupRoot, clock });
}

/** Images of an engine that keeps them itself; what is loaded into it, its own tools load. */
export function remoteImages({ images }: Runtime): Pick<OpenImageStore, "list" | "pull" | "load" | "remove"> {
  return {
    list: () => images.list(),
    pull: (name, options = {}) => images.pull(name, options),
    remove: (name) => images.remove(name),
    load: async () => {
      throw new UserError("this cluster's engine keeps its images itself", {
        remedy: "load it there: for containerd, ctr -n k8s.io images import FILE",
      });
    },
  };
}

/** Peapod's own engine by itself, with its network and images, as CRI v1 on a socket. */
export async function serveRuntime(
  dir: DataDir,
  options: { socketPath: string; logLevel: Parameters<typeof createLog>[0] },
): Promise<{ endpoint: string; close(): Promise<void> }> {
  const log = createLog(options.logLevel);
  const { id, runDir, cgroupRoot } = instanceOf(dir);
  const network = await createBridgeNetwork({ dir: dir.network, id, outside: "reachable", log });
  const images: OpenImageStore = await openImageStore(dir, log, async () =>
    imagesInUse(await runtime.listContainers()),
  );
  const runtime = await createOciRuntime({
    ...{ dir: dir.runtime, runDir, cgroupRoot, clock, random, images, network, log },
  });
  const close = async () => {
    await runtime.close();
    await images.close();
  };
  try {
    const { socketPath } = options;
    const server = await serveCri({ runtime, socketPath, imagesDir: dir.images, clock, random, log });
    return { endpoint: server.endpoint, close: () => server.close().then(close) };
  } catch (error) {
    await close();
    throw error;
  }
}
