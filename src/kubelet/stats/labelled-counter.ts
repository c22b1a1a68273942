import type { Series } from "./exposition.ts";

/** Counts by labels, which have few values. */
export class LabelledCounter {
  readonly #counts = new Map<string, { labels: Readonly<Record<string, string>>; value: number }>();

  count(labels: Readonly<Record<string, string>>): void {
    const key = JSON.stringify(labels);
    const known = this.#counts.get(key);
    if (known) known.value++;
    else this.#counts.set(key, { labels, value: 1 });
  }

  /** One for each set of labels that was counted. */
  get series(): readonly Series[] {
    return [...this.#counts.values()];
  }
}
