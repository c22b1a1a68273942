import type { BenchCluster } from "./bench-cluster.ts";

export const pods = "/api/v1/namespaces/default/pods";

/** Watches the default namespace's pods and tells when one is as it is waited for. */
export class PodWatch {
  readonly #waiting = new Map<string, { isSo: (pod: any) => boolean; resolve: () => void }>();
  readonly #gone = new Map<string, () => void>();

  static async open(cluster: BenchCluster): Promise<PodWatch> {
    const watch = new PodWatch();
    const list = await cluster.client.json("GET", `${pods}?limit=1`);
    await cluster.client.watch(
      `${pods}?watch=true&resourceVersion=${list.metadata.resourceVersion}`,
      (line) => watch.#see(JSON.parse(line.toString())),
    );
    return watch;
  }

  #see({ type, object }: { type: string; object: any }): void {
    const { name } = object.metadata;
    if (type === "DELETED") this.#gone.get(name)?.();
    const waiting = this.#waiting.get(name);
    if (!waiting?.isSo(object)) return;
    this.#waiting.delete(name);
    waiting.resolve();
  }

  /** Resolves at the first change from now on that shows the pod so. */
  until = (name: string, isSo: (pod: any) => boolean) =>
    new Promise<void>((resolve) => this.#waiting.set(name, { isSo, resolve }));
  ready = (name: string) =>
    this.until(name, ({ status }) =>
      status?.conditions?.some((c: any) => c.type === "Ready" && c.status === "True"),
    );
  gone = (name: string) => new Promise<void>((resolve) => this.#gone.set(name, resolve));
}
