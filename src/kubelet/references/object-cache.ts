import type { corev1 } from "../../api/index.ts";
import type { Clock, Log, Timer } from "../../base/index.ts";
import type { Transport } from "../../client/index.ts";
import { type GroupVersionResource, isStatus } from "../../machinery/index.ts";
import type { ReferencedObjects } from "../container/env.ts";
import { Backoff } from "../worker/backoff.ts";

/** An object no pod uses any more is watched this long still: its deployment may be replacing its pods. */
const lingerMs = 60_000;
const watchBackoff = { initialMs: 200, capMs: 30_000 };

type Resource = "configmaps" | "secrets";

const resourceOf = (resource: Resource): GroupVersionResource => ({ group: "", version: "v1", resource });

interface Entry {
  key: string;
  resource: Resource;
  namespace: string;
  name: string;
  users: Set<string>;
  object: any;
  synced: Promise<void>;
  watch: { close(): void } | undefined;
  linger: Timer | undefined;
  isClosed: boolean;
}

/**
 * The ConfigMaps and Secrets that this node's pods refer to: each watched by itself while a pod uses it (never a whole
 * cluster's), read once, and told of when it changes. One that is immutable is read and not watched. As kubelet's watch
 * based manager.
 */
export class ObjectCache {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(options: { transport: Transport; clock: Clock; log: Log }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Reads for a pod; what it reads is watched until {@link release}. */
  forPod(podUid: string): ReferencedObjects {
    return {
      configMap: (namespace, name) =>
        this.#read(podUid, "configmaps", namespace, name) as Promise<corev1.ConfigMap | undefined>,
      secret: (namespace, name) =>
        this.#read(podUid, "secrets", namespace, name) as Promise<corev1.Secret | undefined>,
    };
  }

  /** Calls `listener` when one of the objects a pod has read changes, comes or goes. */
  onChange(podUid: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(podUid) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(podUid, listeners);
    return () => listeners.delete(listener);
  }

  release(podUid: string): void {
    this.#listeners.delete(podUid);
    for (const entry of this.#entries.values()) {
      if (!entry.users.delete(podUid) || entry.users.size > 0) continue;
      entry.linger?.cancel();
      // Nobody would see another of its name.
      if (isImmutable(entry)) this.#close(entry);
      else
        entry.linger = this.#clock.after(lingerMs, () => {
          if (entry.users.size === 0) this.#close(entry);
        });
    }
  }

  close(): void {
    for (const entry of [...this.#entries.values()]) this.#close(entry);
  }

  async #read(podUid: string, resource: Resource, namespace: string, name: string): Promise<unknown> {
    const key = `${resource}/${namespace}/${name}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = {
        key,
        resource,
        namespace,
        name,
        users: new Set(),
        object: undefined,
        synced: Promise.resolve(),
        watch: undefined,
        linger: undefined,
        isClosed: false,
      };
      entry.synced = this.#follow(entry);
      this.#entries.set(key, entry);
    }
    entry.users.add(podUid);
    await entry.synced;
    // The watch may be a moment behind a writer who then made the pod.
    if (entry.object === undefined) await this.#get(entry);
    return entry.object;
  }

  async #get(entry: Entry): Promise<void> {
    try {
      const { object } = await this.#transport.request({
        verb: "get",
        resource: resourceOf(entry.resource),
        namespace: entry.namespace,
        name: entry.name,
      });
      entry.object ??= object;
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  }

  /** Resolves once the object's state is known; the watch goes on. Rejects when the first read fails. */
  async #follow(entry: Entry): Promise<void> {
    try {
      const { object: list } = await this.#transport.request({
        verb: "list",
        resource: resourceOf(entry.resource),
        namespace: entry.namespace,
        options: { fieldSelector: `metadata.name=${entry.name}` },
      });
      this.#set(entry, list.items[0]);
      this.#watch(entry, list.metadata.resourceVersion, new Backoff(watchBackoff));
    } catch (error) {
      this.#close(entry);
      throw error;
    }
  }

  #watch(entry: Entry, resourceVersion: string, backoff: Backoff): void {
    if (entry.isClosed || isImmutable(entry)) return;
    let newest = resourceVersion;
    entry.watch = this.#transport.watch(
      {
        resource: resourceOf(entry.resource),
        namespace: entry.namespace,
        fieldSelector: `metadata.name=${entry.name}`,
        resourceVersion,
        allowWatchBookmarks: true,
      },
      {
        onEvents: (events) => {
          for (const { type, object } of events) {
            newest = object.metadata.resourceVersion ?? newest;
            if (type === "BOOKMARK") continue;
            backoff.reset();
            this.#set(entry, type === "DELETED" ? undefined : object);
            if (isImmutable(entry)) return entry.watch?.close();
          }
        },
        onClose: (error) => {
          if (entry.isClosed || isImmutable(entry)) return;
          const expired = isStatus(error, "Expired") || isStatus(error, "Gone");
          this.#clock.after(backoff.next(), () => {
            if (entry.isClosed) return;
            if (expired) void this.#relist(entry, backoff);
            else this.#watch(entry, newest, backoff);
          });
        },
      },
    );
  }

  async #relist(entry: Entry, backoff: Backoff): Promise<void> {
    try {
      await this.#follow(entry);
    } catch (error) {
      this.#log.warn({ object: entry.key, error: String(error) }, "reading an object a pod refers to failed");
      entry.isClosed = false;
      this.#entries.set(entry.key, entry);
      this.#clock.after(backoff.next(), () => void this.#relist(entry, backoff));
    }
  }

  #set(entry: Entry, object: any): void {
    if (entry.object?.metadata?.resourceVersion === object?.metadata?.resourceVersion) return;
    entry.object = object;
    for (const user of entry.users) for (const listener of this.#listeners.get(user) ?? []) listener();
  }

  #close(entry: Entry): void {
    entry.isClosed = true;
    entry.linger?.cancel();
    entry.watch?.close();
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
  }
}

const isImmutable = ({ object }: Entry): boolean => object?.immutable === true;
