import { mkdir, rm } from "node:fs/promises";
import type { Log } from "../../base/index.ts";
import type { ContainerConfig, PodSandboxConfig } from "../contract.ts";
import { Journal } from "./journal.ts";
import type { Layout } from "./layout.ts";

/** What is remembered of a sandbox: enough for a new engine to go on with it. */
export interface SandboxRecord {
  id: string;
  config: PodSandboxConfig;
  createdAtMs: number;
  /** Of the boot it was made in; after another one its namespaces are gone. */
  bootId: string;
  /** Absent until the network is attached: a crash before that leaves a sandbox that is not ready. */
  ips?: string[];
  stopped?: true;
  /** Of the process that holds the shared PID namespace, where the pod has one. */
  pause?: ProcessIdentity;
}

/** A pid that cannot be mistaken for another process that got the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  startTicks: string;
}

export interface ContainerRecord {
  id: string;
  sandboxId: string;
  config: ContainerConfig;
  createdAtMs: number;
  bootId: string;
  imageRef: string;
  stopSignal: string;
  user: { uid: number; gid: number; supplementalGroups: number[] };
  /** Relative to the cgroup mounts, without a leading slash. */
  cgroup: string;
  /** Absolute. */
  logPath: string;
  /** Set once the runtime has made the process; it may still wait for its start. */
  process?: ProcessIdentity;
  startedAtMs?: number;
  exit?: { code: number; finishedAtMs: number; reason: string; message?: string };
}

/** A line of the journal. */
type Entry = { sandbox: SandboxRecord } | { container: ContainerRecord } | { forgotten: string };

/**
 * The records on disk, in one journal, with an index in memory.
 *
 * - The index has a record as soon as it is saved; the disk, when the call resolves.
 * - No fsync: what a record describes does not survive a power loss either.
 */
export class RecordStore {
  readonly sandboxes = new Map<string, SandboxRecord>();
  readonly containers = new Map<string, ContainerRecord>();
  readonly #layout: Layout;
  readonly #journal: Journal;
  readonly #log: Log;

  constructor(layout: Layout, log: Log) {
    this.#layout = layout;
    this.#log = log;
    this.#journal = new Journal({ path: layout.records, live: () => this.#entries(), log });
  }

  async load(): Promise<void> {
    await mkdir(this.#layout.containerDirs, { recursive: true, mode: 0o700 });
    await this.#journal.load((entry: Entry) => {
      if ("sandbox" in entry) this.sandboxes.set(entry.sandbox.id, entry.sandbox);
      else if ("container" in entry) this.containers.set(entry.container.id, entry.container);
      else this.#forget(entry.forgotten);
    });
  }

  saveSandbox(record: SandboxRecord): Promise<void> {
    this.sandboxes.set(record.id, record);
    return this.#append({ sandbox: record });
  }

  saveContainer(record: ContainerRecord): Promise<void> {
    this.containers.set(record.id, record);
    return this.#append({ container: record });
  }

  forgetSandbox(id: string): Promise<void> {
    this.#forget(id);
    return this.#tellForgotten(id);
  }

  /** Takes the container's folder, its writable layer included, with it. */
  async forgetContainer(id: string): Promise<void> {
    this.#forget(id);
    await Promise.all([
      this.#tellForgotten(id),
      rm(this.#layout.containerDir(id), { recursive: true, force: true }),
    ]);
  }

  /** Resolves once everything is written; nothing is saved after it. */
  close(): Promise<void> {
    return this.#journal.close();
  }

  #append(entry: Entry): Promise<void> {
    return this.#journal.append(entry);
  }

  /** A full disk keeps nobody from removing: the next engine finds a record of nothing, and removes that. */
  async #tellForgotten(id: string): Promise<void> {
    await this.#append({ forgotten: id }).catch((error) =>
      this.#log.warn({ id, error }, "cannot write down that something was removed"),
    );
  }

  #forget(id: string): void {
    this.sandboxes.delete(id);
    this.containers.delete(id);
  }

  *#entries(): Iterable<Entry> {
    for (const sandbox of this.sandboxes.values()) yield { sandbox };
    for (const container of this.containers.values()) yield { container };
  }
}
