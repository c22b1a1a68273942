import type { Clock, Log, Random } from "../../base/index.ts";
import type { ImageStore } from "../image-store.ts";
import type { LinuxHost } from "../linux/host.ts";
import type { Launcher } from "../linux/launcher.ts";
import type { PodNetwork } from "../pod-network.ts";
import type { CgroupDriver, RuntimeKind } from "./cgroups/driver.ts";
import type { Handler } from "./handlers.ts";
import type { Layout } from "./layout.ts";
import type { MountPointLayers } from "./mount-points.ts";
import type { RecordStore } from "./records.ts";
import type { Semaphore } from "./semaphore.ts";
import type { HostFacts } from "./spec/spec.ts";

/** What every part of the engine works with. */
export interface EngineContext {
  layout: Layout;
  mountPoints: MountPointLayers;
  records: RecordStore;
  host: LinuxHost;
  launcher: Launcher;
  /** How many containers are started at once. */
  starting: Semaphore;
  cgroups: CgroupDriver;
  /** First part of every cgroup path: `peapod-x`. */
  cgroupRoot: string;
  network: PodNetwork;
  images: ImageStore;
  clock: Clock;
  random: Random;
  log: Log;
  facts: HostFacts;
  bootId: string;
  conmonPath: string;
  /** The default one, or a sandbox's own (`contextOf`); crun and runc open the start fifo from opposite ends. */
  runtime: { path: string; kind: RuntimeKind };
  /** By the name that a RuntimeClass gives. */
  handlers: ReadonlyMap<string, Handler>;
  /** Of the default runtime. */
  version: string;
}

/** 64 hexadecimal digits, as other engines' ids. */
export function newId(random: Random): string {
  return (random.uuid() + random.uuid()).replaceAll("-", "");
}
