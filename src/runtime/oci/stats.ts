import { readFile } from "node:fs/promises";
import type { ContainerStats, DiskUsage, InterfaceStats, PodSandboxStats, UsageDetail } from "../contract.ts";
import { measureTree } from "../linux/measure-tree.ts";
import { parseNetDev } from "../linux/net-dev.ts";
import type { EngineContext } from "./context.ts";
import { contextOf, contextOfContainer } from "./handlers.ts";
import type { ContainerRecord, SandboxRecord } from "./records.ts";
import { sandboxStatus } from "./sandboxes.ts";

export function containerStats(
  engine: EngineContext,
  record: ContainerRecord,
  detail?: UsageDetail,
): ContainerStats | undefined {
  if (record.exit || record.startedAtMs === undefined) return undefined;
  const context = contextOfContainer(engine, record);
  const usage = context.cgroups.stats(record.cgroup, detail);
  return usage && { containerId: record.id, atMs: context.clock.now(), ...usage };
}

export async function podStats(
  engine: EngineContext,
  record: SandboxRecord,
  detail?: UsageDetail,
): Promise<PodSandboxStats | undefined> {
  const context = contextOf(engine, record);
  if (sandboxStatus(context, record).state !== "ready") return undefined;
  const { cgroupParent, namespaces } = record.config.linux;
  const usage = context.cgroups.stats(`${context.cgroupRoot}/${cgroupParent}`, detail);
  if (!usage) return undefined;
  const interfaces = namespaces.network === "pod" ? await interfacesOf(context, record.id) : undefined;
  return {
    sandboxId: record.id,
    atMs: context.clock.now(),
    ...usage,
    ...(interfaces && { interfaces }),
  };
}

/** Any process of the pod is in its network namespace; /proc shows that one's interfaces without entering it. */
async function interfacesOf(
  context: EngineContext,
  sandboxId: string,
): Promise<InterfaceStats[] | undefined> {
  for (const { sandboxId: owner, exit, process } of context.records.containers.values()) {
    if (owner !== sandboxId || exit || !process) continue;
    const text = await readFile(`/proc/${process.pid}/net/dev`, "utf8").catch(() => undefined);
    if (text !== undefined) return parseNetDev(text);
  }
  return undefined;
}

export const diskUsage = (context: EngineContext, record: ContainerRecord): Promise<DiskUsage | undefined> =>
  measureTree(context.layout.upper(record.id));
