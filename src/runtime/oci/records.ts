import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Log } from "../../base/index.ts";
import type { ContainerConfig, PodSandboxConfig } from "../contract.ts";
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

/**
 * The records on disk, with an index in memory.
 *
 * - A record is replaced as a whole: a reader sees the old one or the new one.
 * - No fsync: what a record describes does not survive a power loss either.
 * - Writes of one record happen in order; of two writes waiting, only the later is made.
 */
export class RecordStore {
  readonly sandboxes = new Map<string, SandboxRecord>();
  readonly containers = new Map<string, ContainerRecord>();
  readonly #layout: Layout;
  readonly #writing = new Map<string, Promise<void>>();
  readonly #pending = new Set<string>();
  #sequence = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Reads what is there; a record that cannot be read is moved out of the way by removing it. */
  async load(log: Log): Promise<void> {
    await mkdir(this.#layout.sandboxRecords, { recursive: true, mode: 0o700 });
    await mkdir(this.#layout.containerRecords, { recursive: true, mode: 0o700 });
    for (const file of await readdir(this.#layout.sandboxRecords)) {
      const path = `${this.#layout.sandboxRecords}/${file}`;
      const record = file.endsWith(".json") ? await readRecord<SandboxRecord>(path) : undefined;
      if (record) this.sandboxes.set(record.id, record);
      else {
        log.warn({ path }, "removed a sandbox record that a crash left unfinished");
        await rm(path, { force: true });
      }
    }
    for (const id of await readdir(this.#layout.containerRecords)) {
      const record = await readRecord<ContainerRecord>(this.#layout.containerRecord(id));
      if (record) this.containers.set(record.id, record);
    }
  }

  async saveSandbox(record: SandboxRecord): Promise<void> {
    this.sandboxes.set(record.id, record);
    await this.#save(this.#layout.sandboxRecord(record.id), () => this.sandboxes.get(record.id));
  }

  /** The container's folder must exist. */
  async saveContainer(record: ContainerRecord): Promise<void> {
    this.containers.set(record.id, record);
    await this.#save(this.#layout.containerRecord(record.id), () => this.containers.get(record.id));
  }

  async forgetSandbox(id: string): Promise<void> {
    this.sandboxes.delete(id);
    await this.#settled(this.#layout.sandboxRecord(id));
    await rm(this.#layout.sandboxRecord(id), { force: true });
  }

  /** Takes the container's folder, its writable layer included, with it. */
  async forgetContainer(id: string): Promise<void> {
    this.containers.delete(id);
    await this.#settled(this.#layout.containerRecord(id));
    await rm(this.#layout.containerDir(id), { recursive: true, force: true });
  }

  /** Resolves once nothing is being written. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.#writing.values());
  }

  async #settled(path: string): Promise<void> {
    await this.#writing.get(path)?.catch(() => {});
  }

  async #save(path: string, current: () => object | undefined): Promise<void> {
    const running = this.#writing.get(path);
    if (running) {
      // The write that waits will take the newest state, so one waiting write is enough.
      if (this.#pending.has(path)) return this.#waiting(path);
      this.#pending.add(path);
      const next = running
        .catch(() => {})
        .then(() => {
          this.#pending.delete(path);
          return this.#write(path, current());
        });
      this.#track(path, next);
      return next;
    }
    const write = this.#write(path, current());
    this.#track(path, write);
    return write;
  }

  #waiting(path: string): Promise<void> {
    return this.#writing.get(path) ?? Promise.resolve();
  }

  #track(path: string, write: Promise<void>): void {
    this.#writing.set(path, write);
    const done = () => {
      if (this.#writing.get(path) === write) this.#writing.delete(path);
    };
    write.then(done, done);
  }

  async #write(path: string, record: object | undefined): Promise<void> {
    if (!record) return;
    const temporary = `${path}.${++this.#sequence}`;
    await writeFile(temporary, JSON.stringify(record), { mode: 0o600 });
    await rename(temporary, path);
  }
}

async function readRecord<T extends { id: string }>(path: string): Promise<T | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as T;
    return typeof record?.id === "string" ? record : undefined;
  } catch {
    return undefined;
  }
}
