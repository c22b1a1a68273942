import type { Labels } from "./affinity-terms.ts";

/** Numbers by topology key and value: a node's label. What is zero again is forgotten. */
export class TopologyCounts {
  readonly #byKey = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** On a node with these labels; one that lacks the key is no part of the topology. */
  add(key: string, labels: Labels, amount: number): void {
    if (amount === 0 || !Object.hasOwn(labels, key)) return;
    const value = labels[key]!;
    let byValue = this.#byKey.get(key);
    if (!byValue) {
      byValue = new Map();
      this.#byKey.set(key, byValue);
    }
    const sum = (byValue.get(value) ?? 0) + amount;
    if (sum !== 0) byValue.set(value, sum);
    else byValue.delete(value);
    if (byValue.size === 0) this.#byKey.delete(key);
  }

  at(key: string, labels: Labels): number {
    return Object.hasOwn(labels, key) ? (this.#byKey.get(key)?.get(labels[key]!) ?? 0) : 0;
  }

  anyAt(labels: Labels): boolean {
    for (const key of this.#byKey.keys()) if (this.at(key, labels) > 0) return true;
    return false;
  }

  /** Over all keys. */
  sumAt(labels: Labels): number {
    let sum = 0;
    for (const key of this.#byKey.keys()) sum += this.at(key, labels);
    return sum;
  }
}
