import { mkdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type PodSandboxConfig, type PodSandboxStatus, RuntimeError } from "../contract.ts";
import { MountFlag } from "../linux/syscalls.ts";
import { createUserNamespace } from "../linux/user-namespace.ts";
import { bandwidthOf } from "./bandwidth.ts";
import { type EngineContext, newId } from "./context.ts";
import { contextOf, requireHandler } from "./handlers.ts";
import { removeInMemory } from "./layout.ts";
import { openToUsers, requireUserNamespaces } from "./mapped.ts";
import { startPause, stopPause } from "./pause.ts";
import { isAlive } from "./processes.ts";
import type { SandboxRecord } from "./records.ts";
import { resolvConf } from "./resolv-conf.ts";

/** As containerd and Docker size a pod's shared memory. */
const shmBytes = 64 * 1024 * 1024;

/** Letters, digits and separators: nothing that leaves /proc/sys. */
const sysctlName = /^[a-zA-Z0-9_-]+([./][a-zA-Z0-9_-]+)+$/;

/** Makes namespaces, cgroup, shared memory and address; whatever fails takes back what was made. */
export async function runSandbox(engine: EngineContext, config: PodSandboxConfig): Promise<string> {
  requireHandler(engine, config);
  validate(config);
  const context = contextOf(engine, { config });
  const id = newId(context.random);
  try {
    const { cgroups, layout, records } = context;
    // In it is the pod's shared memory, which anyone may write to who gets there.
    mkdirSync(layout.sandboxRun(id), { recursive: true, mode: 0o700 });
    if (config.linux.namespaces.user) openToUsers(layout.sandboxRun(id), config.linux.namespaces.user);
    await makeNamespaces(context, id, config);
    cgroups.createPod(`${context.cgroupRoot}/${config.linux.cgroupParent}`, config.linux.resources);
    const [pause, , attached] = await Promise.all([
      config.linux.namespaces.pid === "pod" ? startPause(context, id, config) : undefined,
      writeResolvConf(context, id, config),
      attachNetwork(context, id, config),
    ]);
    const record: SandboxRecord = {
      id,
      config,
      createdAtMs: context.clock.now(),
      bootId: context.bootId,
      ips: attached.ips,
      ...(pause && { pause }),
    };
    await records.saveSandbox(record);
    return id;
  } catch (error) {
    await releaseSandbox(context, id, config).catch((failure) =>
      context.log.warn({ sandboxId: id, failure }, "cannot clean up after a sandbox that failed"),
    );
    if (error instanceof RuntimeError) throw error;
    throw new RuntimeError("SandboxError", `failed to create pod sandbox: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function validate(config: PodSandboxConfig): void {
  const { namespaces, sysctls } = config.linux;
  if (
    namespaces.user &&
    (namespaces.network === "node" || namespaces.ipc === "node" || namespaces.pid === "node")
  ) {
    throw new RuntimeError(
      "InvalidArgument",
      "a pod with users of its own has none of the host's namespaces",
    );
  }
  for (const name of Object.keys(sysctls)) {
    if (!sysctlName.test(name)) throw new RuntimeError("InvalidArgument", `"${name}" is no sysctl's name`);
    const namespace = sysctlNamespace(name);
    if (!namespace) {
      throw new RuntimeError("InvalidArgument", `sysctl "${name}" is not of a pod's own namespaces`);
    }
    if (namespaces[namespace] === "node") {
      throw new RuntimeError(
        "InvalidArgument",
        `sysctl "${name}" is not allowed with the host's ${namespace} namespace`,
      );
    }
  }
}

/** The namespace that a sysctl belongs to; `undefined` when it is the whole host's. */
function sysctlNamespace(name: string): "network" | "ipc" | undefined {
  const dotted = name.includes("/") ? name.replaceAll("/", ".") : name;
  if (dotted.startsWith("net.")) return "network";
  const isIpc =
    /^kernel\.(shm|msg)/.test(dotted) || dotted === "kernel.sem" || dotted.startsWith("fs.mqueue.");
  return isIpc ? "ipc" : undefined;
}

async function makeNamespaces(context: EngineContext, id: string, config: PodSandboxConfig): Promise<void> {
  const { host, layout } = context;
  const { namespaces, sysctls } = config.linux;
  const ownNetwork = namespaces.network === "pod";
  const ownIpc = namespaces.ipc === "pod";
  if (namespaces.user) {
    await createUserNamespace(requireUserNamespaces(context), {
      userPath: layout.namespace(id, "user"),
      range: namespaces.user,
      paths: {
        net: layout.namespace(id, "net"),
        ipc: layout.namespace(id, "ipc"),
        uts: layout.namespace(id, "uts"),
      },
      hostname: config.hostname,
      sysctls,
    });
  } else if (ownNetwork || ownIpc) {
    await host.createNamespaces({
      paths: {
        // A pod on the host's network has the host's name too.
        ...(ownNetwork && { net: layout.namespace(id, "net"), uts: layout.namespace(id, "uts") }),
        ...(ownIpc && { ipc: layout.namespace(id, "ipc") }),
      },
      ...(ownNetwork && { hostname: config.hostname }),
      sysctls,
    });
  }
  if (ownIpc) {
    const target = layout.shm(id);
    mkdirSync(target);
    await host.mount({
      source: "shm",
      target,
      type: "tmpfs",
      flags: MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec,
      data: `mode=1777,size=${shmBytes}`,
    });
  }
}

async function writeResolvConf(context: EngineContext, id: string, config: PodSandboxConfig): Promise<void> {
  const host = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  writeFileSync(context.layout.resolvConf(id), resolvConf(config.dns, host), { mode: 0o644 });
}

async function attachNetwork(
  context: EngineContext,
  id: string,
  config: PodSandboxConfig,
): Promise<{ ips: string[] }> {
  if (config.linux.namespaces.network === "node") return { ips: [] };
  return context.network.attach({
    sandboxId: id,
    netnsPath: context.layout.namespace(id, "net"),
    podName: config.metadata.name,
    podNamespace: config.metadata.namespace,
    portMappings: config.portMappings,
    bandwidth: bandwidthOf(config.annotations),
  });
}

/** Takes the network and the pause process away; the record stays, as not ready. */
export async function stopSandbox(context: EngineContext, record: SandboxRecord): Promise<void> {
  if (record.stopped) return;
  if (record.config.linux.namespaces.network === "pod") await context.network.detach(record.id);
  if (record.pause) await stopPause(context, record.id, record.pause);
  await context.records.saveSandbox({ ...record, stopped: true });
}

/** Gives back everything a sandbox holds; repeating it is fine, and so is one that was only half made. */
export async function releaseSandbox(
  context: EngineContext,
  id: string,
  config?: PodSandboxConfig,
): Promise<void> {
  const { host, layout, records } = context;
  await context.network.detach(id);
  const record = records.sandboxes.get(id);
  await stopPause(context, id, record?.pause);
  await Promise.all([
    host.umount(layout.shm(id)),
    host.umount(layout.namespace(id, "net")),
    host.umount(layout.namespace(id, "ipc")),
    host.umount(layout.namespace(id, "uts")),
    host.umount(layout.namespace(id, "user")),
  ]);
  removeInMemory([layout.sandboxRun(id)]);
  const parent = (config ?? record?.config)?.linux.cgroupParent;
  if (parent && !sharesCgroup(context, id, parent))
    await contextOf(context, config ? { config } : record).cgroups.remove(`${context.cgroupRoot}/${parent}`);
}

/** A pod's next sandbox may stand in the same cgroup already. */
function sharesCgroup(context: EngineContext, id: string, parent: string): boolean {
  for (const other of context.records.sandboxes.values()) {
    if (other.id !== id && other.config.linux.cgroupParent === parent) return true;
  }
  return false;
}

export function sandboxStatus(context: EngineContext, record: SandboxRecord): PodSandboxStatus {
  const alive =
    !record.stopped &&
    record.bootId === context.bootId &&
    record.ips !== undefined &&
    (!record.pause || isAlive(record.pause));
  return {
    id: record.id,
    metadata: record.config.metadata,
    state: alive ? "ready" : "notReady",
    createdAtMs: record.createdAtMs,
    ips: record.ips ?? [],
    labels: record.config.labels,
    annotations: record.config.annotations,
    ...(record.config.runtimeHandler && { runtimeHandler: record.config.runtimeHandler }),
  };
}
