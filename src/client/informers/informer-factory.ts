import { assert, type Clock, createLifetime, type Log, type Random, SystemRandom } from "../../base/index.ts";
import type { GroupVersionResource, KubeObject } from "../../machinery/index.ts";
import type { Client } from "../client.ts";
import type { Indexers, Informer, InformerFactory, InformerHandler } from "../informer.ts";
import { resourceName } from "../resources.ts";
import type { Transport } from "../transport.ts";
import type { Selection } from "./reflector.ts";
import { SharedInformer } from "./shared-informer.ts";

export interface InformerFactoryOptions {
  clock: Clock;
  log: Log;
  /** For the jitter of retries. */
  random?: Random;
}

/** Informers run until every signal they were started with is aborted. */
export function createInformerFactory(
  source: Client | Transport,
  options: InformerFactoryOptions,
): InformerFactory {
  return new Factory("transport" in source ? source.transport : source, options);
}

class Factory implements InformerFactory {
  readonly #transport: Transport;
  readonly #options: Required<InformerFactoryOptions>;
  readonly #informers = new Map<string, SharedInformer<any>>();
  #users = 0;
  #stop = createLifetime();

  constructor(transport: Transport, options: InformerFactoryOptions) {
    this.#transport = transport;
    this.#options = { random: new SystemRandom(), ...options };
  }

  informer<T extends KubeObject>(
    resource: GroupVersionResource,
    { indexers, ...selection }: Selection & { indexers?: Indexers<T> } = {},
  ): Informer<T> {
    const { namespace = "", labelSelector = "", fieldSelector = "" } = selection;
    const { group, version } = resource;
    const id = [group, version, resource.resource, namespace, labelSelector, fieldSelector].join("|");
    let shared: SharedInformer<T> | undefined = this.#informers.get(id);
    if (!shared) {
      shared = new SharedInformer<T>({ ...this.#options, transport: this.#transport, resource, selection });
      this.#informers.set(id, shared);
    }
    return new InformerView(shared, indexers ?? {});
  }

  async start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (this.#users++ === 0) this.#stop = createLifetime();
    signal.addEventListener(
      "abort",
      () => {
        if (--this.#users === 0) this.#stop.abort(signal.reason);
      },
      { once: true },
    );
    const informers = [...this.#informers.values()];
    for (const informer of informers) informer.start(this.#stop.signal);
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([aborted, Promise.all(informers.map((informer) => informer.synced))]);
  }
}

/** A shared informer with the indexes of one of its users. */
class InformerView<T extends KubeObject> implements Informer<T> {
  readonly #shared: SharedInformer<T>;
  readonly #indexes: Map<string, (value: string) => T[]>;

  constructor(shared: SharedInformer<T>, indexers: Indexers<T>) {
    this.#shared = shared;
    this.#indexes = new Map(
      Object.entries(indexers).map(([name, valuesOf]) => [name, shared.cache.addIndex(valuesOf)]),
    );
  }

  get resource(): GroupVersionResource {
    return this.#shared.resource;
  }

  get synced(): Promise<void> {
    return this.#shared.synced;
  }

  get hasSynced(): boolean {
    return this.#shared.hasSynced;
  }

  addHandler(handler: InformerHandler<T>): () => void {
    return this.#shared.addHandler(handler);
  }

  get(key: string): T | undefined {
    return this.#shared.cache.get(key)?.object;
  }

  list(namespace?: string): T[] {
    return Array.from(this.#shared.cache.refs(namespace), (ref) => ref.object);
  }

  byIndex(index: string, value: string): T[] {
    const find = this.#indexes.get(index);
    assert(find, `the informer of ${resourceName(this.resource)} was made with an index "${index}"`);
    return find(value);
  }
}
