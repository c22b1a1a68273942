import type { corev1 } from "../../api/index.ts";
import type { EvictionSignal } from "../config/thresholds.ts";
import type { DiskLayout, Observations, PodUse, PodUses, UsageSource } from "../eviction/usage.ts";

/** A machine whose usage is what a test says. */
export class UsageTable implements UsageSource {
  layout: DiskLayout = { imageFs: "shared" };
  /** By the pods' names. */
  readonly pods = new Map<string, PodUse>();
  readonly #left = new Map<EvictionSignal, { available: number; capacity: number }>();
  #looks = 0;

  set(signal: EvictionSignal, available: number, capacity = available): void {
    this.#left.set(signal, { available, capacity });
  }

  async diskLayout(): Promise<DiskLayout> {
    return this.layout;
  }

  /** Each look is a new measurement. */
  async observations(): Promise<Observations> {
    const atMs = ++this.#looks;
    return new Map([...this.#left].map(([signal, left]) => [signal, { ...left, atMs }]));
  }

  async podUses(pods: readonly corev1.Pod[]): Promise<PodUses> {
    return new Map(
      pods.flatMap(({ metadata }) => {
        const use = this.pods.get(metadata.name!);
        return use ? [[metadata.uid!, use] as const] : [];
      }),
    );
  }
}
