import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { mountsBelow, readMounts } from "../linux/mountinfo.ts";
import { endProcesses } from "./containers.ts";
import type { EngineContext } from "./context.ts";
import { readExit } from "./exits.ts";
import { contextOfContainer } from "./handlers.ts";
import { releaseMapped } from "./mapped.ts";
import { identify, killNamed } from "./processes.ts";
import type { ContainerRecord } from "./records.ts";
import { releaseSandbox } from "./sandboxes.ts";

/** As containerd reports a container whose end nobody saw. */
const unknownExitCode = 255;

/**
 * Makes the records and the machine agree after the last engine's end, wherever in its work that came.
 *
 * - A container that runs is running, also when the engine died before it could write so.
 * - One whose start was not finished is created again: its processes are gone.
 * - What a reboot ended has ended. What no record knows is removed.
 */
export async function repair(context: EngineContext): Promise<void> {
  const { records } = context;
  for (const record of [...records.containers.values()]) {
    if (records.sandboxes.has(record.sandboxId)) await repairContainer(context, record);
    else records.containers.delete(record.id);
  }
  await removeUnknown(context);
  await removeUnknownCgroups(context);
  await context.network.retain(
    [...records.sandboxes.values()].filter((sandbox) => !sandbox.stopped).map((sandbox) => sandbox.id),
  );
}

async function repairContainer(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { records, layout, bootId, clock } = context;
  if (record.exit) return;
  if (record.bootId !== bootId) {
    const message = "the machine was restarted";
    const exit = { code: unknownExitCode, finishedAtMs: clock.now(), reason: "Unknown", message };
    await records.saveContainer({ ...record, exit });
    return;
  }
  if (record.process) return;
  const pid = Number(await readFile(join(layout.bundle(record.id), "pid"), "utf8").catch(() => ""));
  // gVisor has no such gate: whether it let the process through cannot be seen, so it is done again.
  const hasGate = contextOfContainer(context, record).runtime.kind !== "runsc";
  const atGate = existsSync(layout.execFifo(record.id));
  const started = pid > 0 && hasGate && !atGate;
  if (started) {
    const finished = readExit(layout, record.id);
    const process = identify(pid) ?? { pid, startTicks: "" };
    await records.saveContainer({ ...record, process, startedAtMs: finished?.finishedAtMs ?? clock.now() });
    return;
  }
  await endProcesses(context, record);
}

/** Removes what a crash left without a record: run folders with their mounts, and writable layers. */
async function removeUnknown(context: EngineContext): Promise<void> {
  const { records, layout, host } = context;
  const mounts = await readMounts();
  const unmountBelow = async (path: string) => {
    for (const { target } of mountsBelow(mounts, path)) await host.umount(target);
  };
  const left = new Set([...(await readdir(layout.containerDirs)), ...(await readdir(layout.bundles))]);
  for (const id of left) {
    if (records.containers.has(id) || records.sandboxes.has(id)) continue;
    context.log.warn({ containerId: id }, "removed a container that a crash left half made");
    await killNamed(join(layout.bundle(id), "conmon.pid"), id);
    await killNamed(join(layout.bundle(id), "pid"), id);
    await unmountBelow(layout.bundle(id));
    for (const path of [layout.bundle(id), layout.containerDir(id), join(layout.runtimeRoot, id)]) {
      await rm(path, { recursive: true, force: true });
    }
  }
  for (const id of await readdir(layout.allMapped)) {
    if (!records.containers.has(id)) await releaseMapped(context, id);
  }
  for (const id of await readdir(layout.sandboxRunDirs)) {
    if (records.sandboxes.has(id)) continue;
    context.log.warn({ sandboxId: id }, "removed a sandbox that a crash left half made");
    await releaseSandbox(context, id);
  }
  for (const name of await readdir(layout.exits)) {
    if (!records.containers.has(name)) await rm(join(layout.exits, name), { force: true });
  }
}

/** What is a pod's, a container's or an exec's by its name, in the tree that is the engine's own. */
const ownedCgroup = /^(pod.+|[0-9a-f]{64}|exec-\d+)$/;

/** Ends what the last engine's execs left running, and removes cgroups that nothing known is in. */
async function removeUnknownCgroups({ records, cgroups, cgroupRoot }: EngineContext): Promise<void> {
  const known = new Set<string>();
  for (const { id, config, pause } of records.sandboxes.values()) {
    known.add(`${cgroupRoot}/${config.linux.cgroupParent}`);
    if (pause) known.add(`${cgroupRoot}/${config.linux.cgroupParent}/${id}`);
  }
  for (const { cgroup } of records.containers.values()) known.add(cgroup);
  for (const path of cgroups.list()) {
    const isKnown = [...known].some((each) => each === path || each.startsWith(`${path}/`));
    if (!isKnown && ownedCgroup.test(path.split("/").at(-1)!)) await cgroups.remove(path);
  }
}
