import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type ContainerConfig,
  type ContainerStatus,
  type Image,
  type Mount,
  type PodSandboxConfig,
  RuntimeError,
} from "../contract.ts";
import { mountHolding, readMounts } from "../linux/mountinfo.ts";
import { runTool } from "../linux/tool.ts";
import { type ConmonLaunch, launchContainer } from "./conmon.ts";
import { type EngineContext, newId } from "./context.ts";
import { findDevices } from "./devices.ts";
import { explainStartFailure, startErrorExitCode } from "./errors.ts";
import { contextOf, contextOfContainer, factsFor, runtimeCommand } from "./handlers.ts";
import { mountImageVolumes } from "./image-volumes.ts";
import { type Layout, removeInMemory } from "./layout.ts";
import { mapMounts, openToUsers, podUsers, releaseMapped, withMapped } from "./mapped.ts";
import { targetPidNamespace } from "./pid-target.ts";
import { identify, killNamed } from "./processes.ts";
import type { ContainerRecord, SandboxRecord } from "./records.ts";
import { makeDirInRoot, makeMountPoint, mountOverlay, readInRoot } from "./rootfs.ts";
import { readSeccompFile } from "./seccomp-file.ts";
import { parseSignal } from "./signals.ts";
import { buildSpec } from "./spec/spec.ts";
import { type Accounts, resolveUser } from "./spec/user.ts";

/** Accounts of images seen lately: their layers never change. */
const accountsCacheMax = 64;

export class ContainerMaker {
  readonly #context: EngineContext;
  readonly #accounts = new Map<string, Accounts>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Root filesystem, cgroup and specification; no process yet. What fails is taken back. */
  async create(
    sandbox: SandboxRecord,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<string> {
    const context = contextOf(this.#context, sandbox);
    const { layout, records } = context;
    const id = newId(context.random);
    const { layers, image } = await context.images.rootfs(config.imageId);
    const record: ContainerRecord = {
      id,
      sandboxId: sandbox.id,
      config,
      createdAtMs: context.clock.now(),
      bootId: context.bootId,
      imageRef: image.repoDigests[0] ?? image.id,
      stopSignal: stopSignal(config, image),
      user: { uid: 0, gid: 0, supplementalGroups: [] },
      cgroup: `${context.cgroupRoot}/${sandbox.config.linux.cgroupParent}/${id}`,
      logPath: join(sandboxConfig.logDirectory, config.logPath),
    };
    try {
      const users = podUsers(context, sandbox);
      mkdirSync(layout.bundle(id), { mode: 0o700 });
      if (users) openToUsers(layout.bundle(id), users.range);
      mkdirSync(layout.rootfs(id), { mode: 0o711 });
      await makeWritableLayer(layout, id, layers, users?.range.hostId ?? 0);
      await mkdir(dirname(record.logPath), { recursive: true, mode: 0o755 });
      const rootfs = layout.rootfs(id);
      const [upper, work] = [layout.upper(id), layout.work(id)];
      const lowest = context.mountPoints.of(config.mounts);
      await withMapped(context, id, users, [...lowest, ...layers], (lower) =>
        mountOverlay(context.host, { layers: lower, target: rootfs, upper, work }),
      );
      record.user = resolveUser(config.linux.security, image.config, await this.#accountsOf(image, rootfs));
      await this.#writeSpec(record, sandbox, sandboxConfig, image);
      await records.saveContainer(record);
      return id;
    } catch (error) {
      await releaseContainer(context, record);
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError(
        "CreateContainerError",
        `failed to create container: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }

  async #writeSpec(
    record: ContainerRecord,
    sandbox: SandboxRecord,
    sandboxConfig: PodSandboxConfig,
    image: Image,
  ): Promise<void> {
    const context = contextOf(this.#context, sandbox);
    const { layout } = context;
    const { config, id } = record;
    const { security, resources } = config.linux;
    const seccomp = security.seccomp ?? sandboxConfig.linux.seccomp;
    const users = podUsers(context, sandbox);
    await makeMissingSources(config.mounts);
    const [devices, , imageSources, localhostSeccomp] = await Promise.all([
      findDevices(config, context.runtime.kind),
      requirePropagation(config.mounts),
      mountImageVolumes(context, record, users),
      seccomp?.type === "Localhost" && !security.privileged ? readSeccompFile(seccomp.path) : undefined,
    ]);
    const limits = { resources, devices: devices.rules };
    context.cgroups.createContainer(record.cgroup, limits);
    const namespaces = sandbox.config.linux.namespaces;
    const ownNetwork = namespaces.network === "pod";
    const targetPids = targetPidNamespace(context, config, sandbox.id);
    const given = { mounts: config.mounts, resolvConfPath: layout.resolvConf(sandbox.id) };
    const { mounts, resolvConfPath } = users
      ? mapMounts(context, id, users, config, given.resolvConfPath)
      : given;
    const spec = buildSpec({
      config: { ...config, mounts },
      sandbox: { ...sandboxConfig, linux: { ...sandboxConfig.linux, namespaces } },
      image: image.config,
      user: record.user,
      host: factsFor(context.runtime.kind, context.facts),
      rootfsPath: layout.rootfs(id),
      namespaces: {
        ...(ownNetwork && {
          network: layout.namespace(sandbox.id, "net"),
          uts: layout.namespace(sandbox.id, "uts"),
        }),
        ...(namespaces.ipc === "pod" && { ipc: layout.namespace(sandbox.id, "ipc") }),
        ...(targetPids && { pid: targetPids }),
        ...(sandbox.pause && { pid: `/proc/${sandbox.pause.pid}/ns/pid` }),
      },
      shmPath: namespaces.ipc === "pod" ? layout.shm(sandbox.id) : "/dev/shm",
      resolvConfPath,
      ...(users && { users }),
      cgroup: context.cgroups.spec(record.cgroup, limits, security.privileged ? "rw" : "ro"),
      devices: devices.nodes,
      imageSources,
      localhostSeccomp,
      // gVisor's UTS namespace is its own.
      ...(context.runtime.kind === "runsc" && ownNetwork && { hostname: sandboxConfig.hostname }),
    });
    writeFileSync(join(layout.bundle(id), "config.json"), JSON.stringify(spec), { mode: 0o600 });
    const ownerId = users?.range.hostId;
    for (const { hostPath, containerPath, imageId } of mounts)
      if (imageId === undefined) await makeMountPoint(layout.rootfs(id), containerPath, hostPath, ownerId);
    await makeDirInRoot(layout.rootfs(id), spec.process.cwd, ownerId);
  }

  async #accountsOf(image: Image, rootfs: string): Promise<Accounts> {
    const known = this.#accounts.get(image.id);
    if (known) return known;
    const [passwd, group] = await Promise.all([
      readInRoot(rootfs, "/etc/passwd"),
      readInRoot(rootfs, "/etc/group"),
    ]);
    const accounts = { passwd, group };
    if (this.#accounts.size >= accountsCacheMax) this.#accounts.delete(this.#accounts.keys().next().value!);
    this.#accounts.set(image.id, accounts);
    return accounts;
  }
}

/**
 * The writable layer's root is that of the image, in mode and owner. What is written belongs to the pod's users also on
 * the disk: overlayfs itself is none of them. What is made on a disk may wait for its journal while many pods start, and
 * with it whatever else this thread has to do: so by other threads.
 */
async function makeWritableLayer(
  layout: Layout,
  id: string,
  layers: readonly string[],
  firstId: number,
): Promise<void> {
  const upper = layout.upper(id);
  await mkdir(upper, { recursive: true, mode: 0o700 });
  const { mode, uid, gid } = statSync(layers.at(-1)!);
  chmodSync(upper, mode & 0o7777);
  if (firstId + uid > 0 || firstId + gid > 0) chownSync(upper, firstId + uid, firstId + gid);
  await mkdir(layout.work(id));
}

/** As containerd and CRI-O: a hostPath of no type that is not there is a directory from now on. */
async function makeMissingSources(mounts: readonly Mount[]): Promise<void> {
  for (const { hostPath, imageId } of mounts)
    if (imageId === undefined && !existsSync(hostPath))
      await mkdir(hostPath, { recursive: true, mode: 0o755 }).catch((error: Error) => {
        throw new RuntimeError("CreateContainerError", `failed to mkdir "${hostPath}": ${error.message}`);
      });
}

/** As containerd: a mount can only propagate where the host's mount that holds it does. */
async function requirePropagation(mounts: readonly Mount[]): Promise<void> {
  const propagating = mounts.filter((mount) => mount.propagation !== "private" && !mount.imageId);
  if (propagating.length === 0) return;
  const hostMounts = await readMounts();
  for (const { hostPath, propagation } of propagating) {
    const holder = mountHolding(await realpath(hostPath), hostMounts);
    const shared = holder?.propagation.some((field) => field.startsWith("shared:"));
    const slave = holder?.propagation.some((field) => field.startsWith("master:"));
    if (shared || (slave && propagation === "hostToContainer")) continue;
    const needed = propagation === "bidirectional" ? "shared" : "shared or slave";
    throw new RuntimeError(
      "CreateContainerError",
      `path "${hostPath}" is mounted on "${holder?.target}" but it is not a ${needed} mount`,
    );
  }
}

function stopSignal(config: ContainerConfig, image: Image): string {
  const signal = config.stopSignal || image.config.StopSignal || "SIGTERM";
  // As containerd: a signal that nobody knows in an image is not the pod's fault.
  return parseSignal(signal) === undefined ? "SIGTERM" : signal;
}

/**
 * Starts the container's process: conmon and the runtime's `create`, the move into its cgroup, and the start itself.
 * The record says what runs; a failure is recorded as `StartError`, exit code 128, as containerd does.
 */
export async function startContainer(engine: EngineContext, record: ContainerRecord): Promise<void> {
  const context = contextOfContainer(engine, record);
  const { layout, records, cgroups, clock } = context;
  const { id, config } = record;
  try {
    targetPidNamespace(context, config, record.sandboxId);
    const pid = await launch(context, record, {
      conmonPath: context.conmonPath,
      runtime: [...cgroups.launcher(record.cgroup), ...runtimeCommand(context)],
      id,
      bundle: layout.bundle(id),
      exitDir: layout.exits,
      logPath: record.logPath,
      tty: config.tty,
      stdin: config.stdin,
      stdinOnce: config.stdinOnce,
    });
    const process = identify(pid);
    if (!process)
      throw new RuntimeError("RunContainerError", "the container's process ended before it started");
    await openStartGate(context, id);
    records.saveContainer({ ...record, process, startedAtMs: clock.now() }).catch((error) => {
      context.log.error({ containerId: id, error }, "cannot save the record of a container that started");
    });
  } catch (error) {
    const message = explainStartFailure(
      (error as Error).message,
      config.command?.[0] ?? config.args?.[0] ?? "",
    );
    await endProcesses(context, record);
    await records.saveContainer({
      ...record,
      exit: { code: startErrorExitCode, finishedAtMs: clock.now(), reason: "StartError", message },
    });
    throw new RuntimeError(
      "RunContainerError",
      `failed to start container "${config.metadata.name}": ${message}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * A launch that the last engine had begun when it was killed may end in the middle of this one, as conmon and the
 * runtime live on: it is cleared away, and this one done again.
 */
async function launch(context: EngineContext, record: ContainerRecord, how: ConmonLaunch): Promise<number> {
  const tools = { launcher: context.launcher, syscalls: context.host.syscalls, clock: context.clock };
  try {
    return await launchContainer(tools, how);
  } catch (error) {
    if (!/already exists/.test((error as Error).message)) throw error;
    await endProcesses(context, record);
    return launchContainer(tools, how);
  }
}

/**
 * What `crun start` does, without a process for it: the container's first process reads one byte from a fifo before
 * it becomes the command. Any other runtime, or a crun that does it in another way, is asked to start.
 */
async function openStartGate(context: EngineContext, id: string): Promise<void> {
  if (context.runtime.kind === "crun") {
    const path = context.layout.execFifo(id);
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        unlinkSync(path);
        writeSync(fd, "\0");
        return;
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // ENXIO: nobody waits at the other end any more.
      if (code === "ENXIO")
        throw new RuntimeError("RunContainerError", "the container's process ended before it started");
      if (code !== "ENOENT") throw error;
    }
  }
  const [program, ...args] = runtimeCommand(context);
  await runTool(program!, [...args, "start", id]);
}

/** Kills what a half-started container left: its conmon, the process at the start gate, the runtime's state. */
export async function endProcesses(engine: EngineContext, record: ContainerRecord): Promise<void> {
  const context = contextOfContainer(engine, record);
  const { layout } = context;
  // conmon first, or it would report the end of what is about to be killed.
  await killNamed(join(layout.bundle(record.id), "conmon.pid"), record.id);
  await context.cgroups.kill(record.cgroup);
  await killNamed(join(layout.bundle(record.id), "pid"), record.id);
  const left = launchFiles.map((name) => join(layout.bundle(record.id), name));
  removeInMemory([join(layout.runtimeRoot, record.id), layout.exitFile(record.id), ...left]);
}

/** What a launch makes in the bundle, and would trip over the next time. */
const launchFiles = ["sync", "conmon.log", "conmon.pid", "pid", "ctl", "winsz", "attach"];

/** Gives back everything a container that does not run holds; repeating it is fine. */
export async function releaseContainer(engine: EngineContext, record: ContainerRecord): Promise<void> {
  const context = contextOfContainer(engine, record);
  const { layout, host, records, cgroups } = context;
  const { id, config } = record;
  const volumes = config.mounts.filter((mount) => mount.imageId).length;
  await Promise.all([
    host.umount(layout.rootfs(id)),
    ...Array.from({ length: volumes }, (_, index) => host.umount(join(layout.bundle(id), `image-${index}`))),
    cgroups.remove(record.cgroup),
    releaseMapped(context, id),
  ]);
  removeInMemory([join(layout.runtimeRoot, id), layout.exitFile(id), layout.bundle(id)]);
  await records.forgetContainer(id);
}

export function containerStatus(record: ContainerRecord): ContainerStatus {
  const { config, exit } = record;
  return {
    id: record.id,
    sandboxId: record.sandboxId,
    metadata: config.metadata,
    state: exit ? "exited" : record.startedAtMs !== undefined ? "running" : "created",
    createdAtMs: record.createdAtMs,
    startedAtMs: record.startedAtMs,
    finishedAtMs: exit?.finishedAtMs,
    exitCode: exit?.code,
    reason: exit?.reason,
    message: exit?.message,
    imageName: config.imageName,
    imageId: config.imageId,
    imageRef: record.imageRef,
    labels: config.labels,
    annotations: config.annotations,
    logPath: record.logPath,
    mounts: config.mounts,
    ...(!exit && record.process && { pid: record.process.pid }),
    user: record.user,
  };
}
