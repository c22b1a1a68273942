import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readMounts } from "../linux/mountinfo.ts";
import { endProcesses } from "./containers.ts";
import type { EngineContext } from "./context.ts";
import { readExit } from "./exits.ts";
import { identify } from "./processes.ts";
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
  for (const record of [...records.containers.values()]) await repairContainer(context, record);
  await removeUnknown(context);
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
  const atGate = existsSync(layout.execFifo(record.id));
  const started = pid > 0 && !atGate;
  if (started) {
    const finished = await readExit(layout, record.id);
    const process = identify(pid) ?? { pid, startTicks: "" };
    await records.saveContainer({ ...record, process, startedAtMs: finished?.finishedAtMs ?? clock.now() });
    return;
  }
  await endProcesses(context, record);
}

/** Removes what a crash left without a record: run folders with their mounts, and writable layers. */
async function removeUnknown(context: EngineContext): Promise<void> {
  const { records, layout, host, cgroups } = context;
  const mounts = (await readMounts()).map((mount) => mount.target);
  const unmountBelow = async (path: string) => {
    for (const target of mounts) if (target.startsWith(`${path}/`)) await host.umount(target);
  };
  for (const id of await readdir(layout.containerRecords)) {
    if (records.containers.has(id)) continue;
    context.log.warn({ containerId: id }, "removed a container that a crash left half made");
    await unmountBelow(layout.bundle(id));
    await rm(layout.bundle(id), { recursive: true, force: true });
    await rm(layout.containerDir(id), { recursive: true, force: true });
    for (const sandbox of records.sandboxes.values()) {
      await cgroups.remove(`${context.cgroupRoot}/${sandbox.config.linux.cgroupParent}/${id}`);
    }
  }
  for (const id of await readdir(layout.bundles)) {
    if (records.containers.has(id) || records.sandboxes.has(id)) continue;
    await unmountBelow(layout.bundle(id));
    await rm(layout.bundle(id), { recursive: true, force: true });
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
