/** A field's name, an index in a list, or a key of a map. */
type Step = string | number | { key: string };

/**
 * Where a walk over an object stands. Walks push and pop, which costs little; a text is made only for what is
 * wrong, so that a good object pays nothing for its error messages.
 */
export class ValuePath {
  readonly #steps: Step[] = [];

  push(step: Step): void {
    this.#steps.push(step);
  }

  pop(): void {
    this.#steps.pop();
  }

  /** `spec.containers[0].name`, `spec.nodeSelector[disk]`; with `leaf`, that field of it. */
  text(leaf?: string): string {
    let out = "";
    for (const step of this.#steps) {
      if (typeof step === "number") out += `[${step}]`;
      else if (typeof step === "object") out += `[${step.key}]`;
      else out += out === "" ? step : `.${step}`;
    }
    if (leaf === undefined) return out;
    return out === "" ? leaf : `${out}.${leaf}`;
  }

  /** The names of the fields alone, as Go's JSON errors have them: `spec.containers.name`. */
  fields(): string {
    return this.#steps.filter((step) => typeof step === "string").join(".");
  }
}
