import { existsSync, readFileSync } from "node:fs";
import { readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { corev1 } from "./api/index.ts";
import type { ApiServer } from "./apiserver/index.ts";
import { ensurePki, kubeconfig, type Pki, writeKubeconfig } from "./auth/index.ts";
import {
  createLifetime,
  createLog,
  giveBackMemory,
  LoopDelayMeter,
  SystemClock,
  SystemRandom,
} from "./base/index.ts";
import {
  type ClusterModule,
  type ClusterOptions,
  type ClusterStatus,
  type Images,
  imagesOf,
  type PodsAtStop,
  type RunningCluster,
} from "./cli/index.ts";
import {
  createClient,
  createEventRecorder,
  createInformerFactory,
  type NodeConnector,
  nodes,
} from "./client/index.ts";
import {
  type ControlPlane,
  createControlPlane,
  startControllers,
  startProvisioner,
  users,
} from "./control-plane.ts";
import {
  chooseEndpoint,
  instanceOf,
  openImageStore,
  openRuntime,
  purgeEngine,
  remoteImages,
  serveRuntime,
} from "./engine.ts";
import { createKubelet, type Kubelet, purgeKubelet } from "./kubelet/index.ts";
import { serviceUnavailable } from "./machinery/index.ts";
import { createBridgeNetwork, purgeBridgeNetwork } from "./network/index.ts";
import { nodeSettings } from "./node-settings.ts";
import {
  imagesInUse,
  loadMallocTrim,
  type OpenImageStore,
  type Runtime,
  unmountBelow,
} from "./runtime/index.ts";
import { createMemoryStore, openLmdbStore, type Store } from "./store/index.ts";
import { ensureLocalRegistry, stopLocalRegistry } from "./testing/index.ts";

/*
 * The composition root: the only file that knows every room. It reads as the start of a cluster, from the store up to
 * the node agent; nothing here decides anything.
 */

const clock = new SystemClock();
const random = new SystemRandom();

/** As upstream's default for `--secure-port`; taken when it is free and no port was asked for. */
const portDefault = 6443;

async function startCluster(options: ClusterOptions): Promise<RunningCluster> {
  const { dir } = options;
  const kubeletConfig = await nodeSettings(dir, options.kubeletConfig);
  // Containers of any user read what is made for them; what is secret has its own mode.
  process.umask(0o022);
  const log = createLog(options.logLevel);
  const ended = createLifetime();
  const { id } = instanceOf(dir);
  const endpoint = chooseEndpoint(dir, options.runtimeEndpoint);

  // What waits for the kernel, for children or for the disk does so together.
  const networkReady = createBridgeNetwork({ dir: dir.network, id, outside: "reachable", log });
  const imagesReady = openImageStore(dir, log, () => inUse());
  const runtimeReady = Promise.all([networkReady, imagesReady]).then(([network, images]) =>
    openRuntime(dir, { images, network, log, endpoint }),
  );
  // Told below, where it is waited for.
  runtimeReady.catch(() => {});
  const pkiReady = networkReady.then(({ gateway }) =>
    ensurePki(dir.pki, { clock, nodeName: options.nodeName, sans: [gateway] }),
  );
  const [network, images, store, pki] = await Promise.all([
    networkReady,
    imagesReady,
    options.store === "memory" ? createMemoryStore({ clock }) : openLmdbStore({ dir: dir.store, clock, log }),
    pkiReady,
  ]);

  let kubelet: Kubelet | undefined;
  const connector: NodeConnector = {
    connect: async (name) => {
      if (name === options.nodeName && kubelet) return kubelet;
      throw serviceUnavailable(`node ${name} cannot be reached`);
    },
  };
  const api = createControlPlane({ store, pki, log, nodes: connector });
  addLoopDelay(api.server);
  await api.server.bootstrap();
  const port = await listen(api.server, pki, options, network.gateway);
  const url = `https://127.0.0.1:${port}`;
  await writeKubeconfig(
    dir.kubeconfig,
    kubeconfig({
      server: url,
      caCertificate: pki.ca.certificate,
      client: pki.admin,
      name: dir.isDefault ? "peapod" : `peapod-${id}`,
    }),
  );
  const registryReady = existsSync(dir.registry)
    ? ensureLocalRegistry({ dir: dir.registry, clock, images: [] })
    : undefined;
  const [runtime] = await Promise.all([runtimeReady, startControllers(api, pki, log, ended.signal)]);
  const inUse = async () => imagesInUse(await runtime.listContainers());
  const nodeTransport = api.server.transportFor(users.node(options.nodeName));
  kubelet = createKubelet({
    nodeName: options.nodeName,
    transport: nodeTransport,
    informers: createInformerFactory(nodeTransport, { clock, log, random }),
    runtime,
    events: createEventRecorder({
      client: createClient(nodeTransport),
      component: "kubelet",
      host: options.nodeName,
      clock,
      log,
      random,
    }),
    dir: dir.kubelet,
    config: kubeletConfig,
    clock,
    random,
    log: log.child({ room: "kubelet" }),
    nodeIps: network.gateways,
    podCidrs: network.podCidrs,
    kubernetesService: { host: network.gateway, port },
    manifestsDir: dir.manifests,
  });
  await Promise.all([
    kubelet.start(ended.signal),
    startProvisioner(api, { name: options.nodeName, volumesDir: dir.volumes }, log, ended.signal),
    registryReady,
  ]);

  void giveBackFreed(ended.signal);

  return new Cluster({
    options,
    url,
    port,
    api,
    store,
    kubelet,
    runtime,
    images,
    shownImages: endpoint === undefined ? images : remoteImages(runtime),
    network,
    ended,
  });
}

/** Stored objects, and what is made of them for clients, are buffers: libc's. */
async function giveBackFreed(signal: AbortSignal): Promise<void> {
  const trim = await loadMallocTrim();
  const usedBytes = () => process.memoryUsage().arrayBuffers;
  if (trim) await giveBackMemory({ clock, usedBytes, trim }, signal);
}

/** Named as Node's own exporters name it. The first of the two takes the reading, which both show. */
function addLoopDelay(server: ApiServer): void {
  const meter = new LoopDelayMeter();
  let delay = { p99S: 0, maxS: 0 };
  server.addGauge("nodejs_eventloop_lag_p99_seconds", "Event loop delay since the last scrape, p99.", () => {
    delay = meter.read();
    return delay.p99S;
  });
  server.addGauge("nodejs_eventloop_lag_max_seconds", "The longest of them.", () => delay.maxS);
}

/** On loopback for people and tools, and on the bridge's own address for pods. */
async function listen(
  server: ApiServer,
  pki: Pki,
  options: ClusterOptions,
  gateway: string,
): Promise<number> {
  const tls = { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate };
  const portFile = join(options.dir.root, "port");
  const known = existsSync(portFile) ? Number(readFileSync(portFile, "utf8")) : portDefault;
  const tries = options.port === 0 ? [known, 0] : [options.port];
  let port = 0;
  for (const candidate of tries) {
    try {
      ({ port } = await server.listen({ port: candidate, host: "127.0.0.1", tls }));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || candidate === tries.at(-1)) throw error;
    }
  }
  await server.listen({ port, host: gateway, tls });
  await writeFile(portFile, String(port));
  return port;
}

class Cluster implements RunningCluster {
  readonly url: string;
  readonly port: number;
  readonly images: Images;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.url = parts.url;
    this.port = parts.port;
    this.images = imagesOf(parts.shownImages);
  }

  async ready(signal: AbortSignal): Promise<void> {
    const node = this.#parts.api.informers.informer<corev1.Node>(nodes);
    await this.#parts.api.informers.start(signal);
    await new Promise<void>((resolve, reject) => {
      const look = (object: corev1.Node) => {
        if (object.metadata.name === this.#parts.options.nodeName && readyOf(object)?.status === "True")
          resolve();
      };
      const stop = node.addHandler({ added: look, updated: (_, after) => look(after) });
      signal.addEventListener("abort", () => {
        stop();
        reject(signal.reason);
      });
    });
  }

  async status(): Promise<ClusterStatus> {
    const { api, options, network } = this.#parts;
    const node = api.informers.informer<corev1.Node>(nodes).get(options.nodeName);
    const ready = node && readyOf(node);
    const phases: Record<string, number> = {};
    for (const pod of api.pods.list()) {
      const phase = pod.status?.phase ?? "Unknown";
      phases[phase] = (phases[phase] ?? 0) + 1;
    }
    return {
      version: options.version,
      node: {
        name: options.nodeName,
        ready: ready?.status === "True",
        message: ready?.message ?? "not registered yet",
      },
      pods: phases,
      podCidr: network.podCidr,
    };
  }

  async stop({ pods: which }: { pods: PodsAtStop }): Promise<void> {
    const { ended, api, runtime, images, store, options, kubelet } = this.#parts;
    if (which !== "keep") await kubelet.shutDown();
    ended.abort();
    await api.server.close();
    if (which === "stop") await stopSandboxes(runtime);
    if (which === "stop") await stopLocalRegistry({ dir: options.dir.registry, clock });
    await runtime.close();
    await images.close();
    await store.close();
  }
}

interface Parts {
  options: ClusterOptions;
  url: string;
  port: number;
  api: ControlPlane;
  store: Store;
  kubelet: Kubelet;
  runtime: Runtime;
  images: OpenImageStore;
  /** Those that pods are made from. */
  shownImages: Parameters<typeof imagesOf>[0];
  network: { podCidr: string };
  ended: AbortController;
}

const readyOf = (node: corev1.Node) => node.status?.conditions?.find((c) => c.type === "Ready");

async function stopSandboxes(runtime: Runtime): Promise<void> {
  const containers = await runtime.listContainers();
  // What obeys its stop signal ends well; nobody is waited for long.
  await Promise.all(containers.map((c) => runtime.stopContainer(c.id, { graceS: 2 })));
  const sandboxes = await runtime.listPodSandboxes();
  await Promise.all(sandboxes.map((sandbox) => runtime.stopPodSandbox(sandbox.id)));
}

export const clusterModule: ClusterModule = {
  startCluster,
  serveRuntime,
  openImages: async (dir) => {
    const store = await openImageStore(dir, createLog("error"), async () => new Set());
    return imagesOf(store);
  },
  stopPods: async (dir) => {
    const log = createLog("error");
    const { id } = instanceOf(dir);
    const network = await createBridgeNetwork({ dir: dir.network, id, outside: "reachable", log });
    const images = await openImageStore(dir, log, async () => new Set());
    const endpoint = chooseEndpoint(dir, undefined);
    const runtime = await openRuntime(dir, { images, network, log, endpoint });
    await stopSandboxes(runtime);
    await stopLocalRegistry({ dir: dir.registry, clock });
    await runtime.close();
  },
  purge: async (dir) => {
    const { id } = instanceOf(dir);
    await purgeEngine(dir);
    await purgeBridgeNetwork({ dir: dir.network, id });
    await stopLocalRegistry({ dir: dir.registry, clock });
    await purgeKubelet({ dir: dir.kubelet });
    // Whatever else is mounted.
    await unmountBelow(dir.root);
    if (!existsSync(dir.root)) return;
    for (const name of await readdir(dir.root))
      await rm(join(dir.root, name), { recursive: true, force: true });
    await rmdir(dir.root).catch((error: NodeJS.ErrnoException) => {
      // Somebody's mount, now empty, and theirs to take away.
      if (error.code !== "EBUSY") throw error;
    });
  },
};
