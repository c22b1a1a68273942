import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { corev1 } from "../api/index.ts";
import type { RegistryAuth } from "../runtime/index.ts";
import { ConfigMaker } from "./container/config-maker.ts";
import { parseResolvConf } from "./container/dns.ts";
import type { NodeFacts } from "./container/field-ref.ts";
import { podTarget } from "./events.ts";
import { ImagePuller } from "./images/image-puller.ts";
import { credentialsOf } from "./images/pull-secrets.ts";
import { TerminationMessageReader } from "./logs/termination-message.ts";
import type { HostInfo } from "./node/host-info.ts";
import type { SettledOptions } from "./options.ts";
import { Prober } from "./probes/prober.ts";
import { ObjectCache } from "./references/object-cache.ts";
import { StatusWriter } from "./status/status-writer.ts";
import { SubPaths } from "./volumes/sub-path.ts";
import { TokenManager } from "./volumes/token-manager.ts";
import { VolumeManager } from "./volumes/volume-manager.ts";
import { HookRunner } from "./worker/hooks.ts";
import { PodFolders } from "./worker/pod-files.ts";
import type { PodServices } from "./worker/services.ts";
import { messageOf } from "./worker/start-error.ts";

const hostResolvConf = "/etc/resolv.conf";

function foldersOf({ dir }: SettledOptions) {
  return { podsDir: join(dir, "pods"), logsDir: join(dir, "logs"), memoryDir: join(dir, "memory") };
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
  given: { host: HostInfo; node: () => NodeFacts; signal: AbortSignal },
): Promise<{ services: PodServices; close: () => void }> {
  const { clock, clusterDns, dir, events, log, mounter, nodeIps, random, runtime, transport } = options;
  const { host, node, signal } = given;
  const folders = foldersOf(options);
  const resolver = parseResolvConf(
    options.resolvConf ?? (await readFile(hostResolvConf, "utf8").catch(() => "")),
  );
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
  const volumes = new VolumeManager({
    ...folders,
    clock,
    log,
    events,
    objects,
    tokens,
    mounter,
    runtime,
    images,
    node,
  });
  const probes = new Prober({ clock, random, log, runtime, events });
  const configs = new ConfigMaker({
    ...folders,
    random,
    events,
    objects,
    subPaths: new SubPaths({ podsDir: folders.podsDir, mounter, log }),
    hostDns: () => resolver,
    clusterDns,
    nodeMemoryBytes: host.memoryBytes,
    node,
    serviceEnv: () => services,
    seccompRoot: options.seccompRoot ?? join(dir, "seccomp"),
  });
  return {
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
      files: new PodFolders(folders),
      hostIps: () => nodeIps,
    },
    close: () => {
      objects.close();
      probes.close();
      volumes.close();
    },
  };
}

async function pullCredentials(
  pod: corev1.Pod,
  objects: ObjectCache,
  { events }: SettledOptions,
): Promise<RegistryAuth[]> {
  const { namespace, uid } = pod.metadata;
  const names = (pod.spec!.imagePullSecrets ?? []).map(({ name }) => name!).filter(Boolean);
  const secrets = await Promise.all(names.map((name) => objects.forPod(uid!).secret(namespace!, name)));
  const missing = names.filter((_, i) => !secrets[i]);
  if (missing.length > 0) {
    const message = `Unable to retrieve some image pull secrets (${missing.join(", ")}); attempting to pull the image may not succeed.`;
    events.event(podTarget(pod), "Warning", "FailedToRetrieveImagePullSecret", message);
  }
  return secrets.filter((secret) => secret !== undefined).flatMap(credentialsOf);
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
