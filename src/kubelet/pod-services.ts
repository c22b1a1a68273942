import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { corev1, nodev1 } from "../api/index.ts";
import { runtimeClasses } from "../client/index.ts";
import { openDialer, type RegistryAuth, type Runtime } from "../runtime/index.ts";
import { defaultConfig, KubeletConfigError } from "./config/read-config.ts";
import { oomKillsOf, resolvConfPathOf } from "./config/settled.ts";
import { ConfigMaker } from "./container/config-maker.ts";
import { parseResolvConf } from "./container/dns.ts";
import type { NodeFacts } from "./container/field-ref.ts";
import { type Csi, createCsi } from "./csi/index.ts";
import { podTarget } from "./events.ts";
import { ImagePuller } from "./images/image-puller.ts";
import { credentialsOf, nodeCredentials } from "./images/pull-secrets.ts";
import { TerminationMessageReader } from "./logs/termination-message.ts";
import type { HostInfo } from "./node/host-info.ts";
import type { SettledOptions } from "./options.ts";
import { Prober } from "./probes/prober.ts";
import { ObjectCache } from "./references/object-cache.ts";
import { StartCounts } from "./stats/start-counts.ts";
import { StatusWriter } from "./status/status-writer.ts";
import { hostSubordinateIds, IdRanges } from "./users/id-ranges.ts";
import { BlockDevices } from "./volumes/block-devices.ts";
import { apiFilesPlugins } from "./volumes/plugins/api-files.ts";
import { EmptyDirPlugin } from "./volumes/plugins/empty-dir.ts";
import { HostPathPlugin } from "./volumes/plugins/host-path.ts";
import { ImagePlugin } from "./volumes/plugins/image.ts";
import { LocalPlugin } from "./volumes/plugins/local.ts";
import { NfsPlugin } from "./volumes/plugins/nfs.ts";
import { SubPaths } from "./volumes/sub-path.ts";
import { TokenManager } from "./volumes/token-manager.ts";
import { VolumeManager } from "./volumes/volume-manager.ts";
import { HookRunner } from "./worker/hooks.ts";
import { PodFolders } from "./worker/pod-files.ts";
import type { PodResizes, PodServices } from "./worker/services.ts";
import { messageOf } from "./worker/start-error.ts";

function foldersOf({ dir }: SettledOptions) {
  return {
    podsDir: join(dir, "pods"),
    logsDir: join(dir, "logs"),
    memoryDir: join(dir, "memory"),
    pluginsDir: join(dir, "plugins"),
  };
}

/** Where pods' files go; what is secret goes to memory, where the host lets us. */
export async function makeFolders(options: SettledOptions): Promise<void> {
  const { logsDir, memoryDir, podsDir } = foldersOf(options);
  await Promise.all([
    mkdir(podsDir, { recursive: true, mode: 0o750 }),
    mkdir(logsDir, { recursive: true, mode: 0o755 }),
    mkdir(memoryDir, { recursive: true, mode: 0o750 }),
  ]);
  await options.mounter.mountTmpfs(memoryDir, { mode: "0750" }).catch((error) => {
    options.log.warn(
      { error: messageOf(error) },
      "secrets of pods are kept on disk: no tmpfs could be mounted",
    );
  });
}

/** Everything a pod worker needs, wired. */
export async function createPodServices(
  options: SettledOptions,
  given: { host: HostInfo; node: () => NodeFacts; signal: AbortSignal; resizes: PodResizes },
): Promise<{ services: PodServices; csi: Csi; close: () => void }> {
  const {
    clock,
    clusterDns,
    dir,
    events,
    informers,
    log,
    mounter,
    nodeIps,
    nodeName,
    random,
    runtime,
    transport,
  } = options;
  const { host, node, resizes, signal } = given;
  const folders = foldersOf(options);
  const resolver = parseResolvConf(options.resolvConf ?? (await hostResolvConf(options)));
  const services = serviceVariables(options.kubernetesService);
  const objects = new ObjectCache({ transport, clock, log });
  const tokens = new TokenManager({ transport, clock });
  const images = new ImagePuller({
    runtime,
    clock,
    events,
    credentials: (pod) => pullCredentials(pod, objects, options),
    parallelMax: options.parallelPullsMax,
  });
  const csi = createCsi({ dir, nodeName, transport, informers, events, clock, log });
  const volumes = new VolumeManager({
    ...folders,
    clock,
    log,
    events,
    objects,
    tokens,
    mounter,
    transport,
    plugins: [
      new EmptyDirPlugin({ mounter, node }),
      new HostPathPlugin(),
      ...apiFilesPlugins({ ...folders, clock, objects, tokens, node }),
      new NfsPlugin({ mounter }),
      new LocalPlugin({ ...folders, mounter, events, devices: new BlockDevices(folders) }),
      new ImagePlugin(),
      csi.plugin,
    ],
  });
  const { idsPerPod } = options.config.userNamespaces;
  const idRanges = new IdRanges({ podsDir: folders.podsDir, idsPerPod, given: hostSubordinateIds });
  const dialer = await openDialer(clock);
  const probes = new Prober({ clock, random, log, runtime, events, dialer });
  const configs = new ConfigMaker({
    ...folders,
    random,
    events,
    objects,
    subPaths: new SubPaths({ podsDir: folders.podsDir, mounter, log }),
    hostDns: () => resolver,
    clusterDns,
    nodeMemory: {
      memoryBytes: host.memoryBytes,
      hugepages: Object.keys(host.hugepages),
      oomKills: oomKillsOf(options.config, host.cgroups) ?? "process",
    },
    podPidsMax: options.config.podPidsLimit,
    node,
    serviceEnv: () => services,
    runtimeHandler: async (name) => {
      const { object } = await transport.request({ verb: "get", resource: runtimeClasses, name });
      return (object as nodev1.RuntimeClass).handler;
    },
    mountsReadOnlyRecursively: async (handler) => {
      const found = (await runtime.handlers()).find(({ name }) => name === handler);
      return found?.features.recursiveReadOnlyMounts === true;
    },
    podUsers: async (uid, handler) => {
      await requireUserNamespaces(runtime, handler);
      return idRanges.of(uid);
    },
    securityModules: options.securityModules,
    seccompDefault: options.config.seccompDefault ? "RuntimeDefault" : "Unconfined",
    seccompRoot: options.seccompRoot ?? join(dir, "seccomp"),
  });
  return {
    csi,
    services: {
      clock,
      log,
      runtime,
      events,
      volumes,
      images,
      configs,
      probes,
      hooks: new HookRunner({ runtime, clock, events }),
      statuses: new StatusWriter({ transport, clock, log, signal }),
      messages: new TerminationMessageReader(),
      files: new PodFolders(folders, clock),
      hostIps: () => nodeIps,
      restartBackoffMsMax: options.config.crashLoopBackOff.maxContainerRestartPeriod.ms,
      resizes,
      counts: new StartCounts(),
    },
    close: () => {
      objects.close();
      probes.close();
      dialer.close();
      volumes.close();
      csi.close();
    },
  };
}

/** In upstream's words. */
async function requireUserNamespaces(runtime: Runtime, handler: string): Promise<void> {
  const found = (await runtime.handlers()).find(({ name }) => name === handler);
  if (found?.features.userNamespaces) return;
  const who = handler ? `RuntimeClass handler ${JSON.stringify(handler)} does` : "runtime does";
  throw new Error(`can't set \`spec.hostUsers: false\`, ${who} not support user namespaces`);
}

/** A machine may have none; a file that the settings name is there. */
async function hostResolvConf({ config }: SettledOptions): Promise<string> {
  const path = resolvConfPathOf(config);
  if (path === undefined) return "";
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (path === defaultConfig().resolvConf) return "";
    throw new KubeletConfigError(`resolvConf: ${messageOf(error)}`);
  }
}

async function pullCredentials(
  pod: corev1.Pod,
  objects: ObjectCache,
  { dir, events, log }: SettledOptions,
): Promise<RegistryAuth[]> {
  const { namespace, uid } = pod.metadata;
  const names = (pod.spec!.imagePullSecrets ?? []).map(({ name }) => name!).filter(Boolean);
  const secrets = await Promise.all(names.map((name) => objects.forPod(uid!).secret(namespace!, name)));
  const missing = names.filter((_, i) => !secrets[i]);
  if (missing.length > 0) {
    const message = `Unable to retrieve some image pull secrets (${missing.join(", ")}); attempting to pull the image may not succeed.`;
    events.event(podTarget(pod), "Warning", "FailedToRetrieveImagePullSecret", message);
  }
  // As kubelet: a file that cannot be used is told of, and keeps no pod from what needs no credentials.
  const ofNode = await nodeCredentials(join(dir, "config.json")).catch((error) => {
    log.warn({ error: messageOf(error) }, "the node's own credentials for registries cannot be used");
    return [];
  });
  return [...secrets.filter((secret) => secret !== undefined).flatMap(credentialsOf), ...ofNode];
}

/** What clients inside a pod look for to find the API server. */
function serviceVariables(service: { host: string; port: number } | undefined): ReadonlyMap<string, string> {
  if (!service) return new Map();
  const { host, port } = service;
  const url = `tcp://${host}:${port}`;
  const prefix = `KUBERNETES_PORT_${port}_TCP`;
  return new Map(
    Object.entries({
      KUBERNETES_SERVICE_HOST: host,
      KUBERNETES_SERVICE_PORT: String(port),
      KUBERNETES_SERVICE_PORT_HTTPS: String(port),
      KUBERNETES_PORT: url,
      [prefix]: url,
      [`${prefix}_PROTO`]: "tcp",
      [`${prefix}_PORT`]: String(port),
      [`${prefix}_ADDR`]: host,
    }),
  );
}
