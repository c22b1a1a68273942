import type { Clock } from "../../base/index.ts";
import { bookmarkMs } from "../limits.ts";

/** Reminds every watch that wants it, once a {@link bookmarkMs}, to say how far it is. One timer for all. */
export class Bookmarks {
  readonly #clock: Clock;
  readonly #due = new Set<() => void>();
  #timer: { cancel(): void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the way to stop. */
  add(due: () => void): () => void {
    this.#due.add(due);
    this.#timer ??= this.#arm();
    return () => {
      this.#due.delete(due);
    };
  }

  close(): void {
    this.#due.clear();
    this.#timer?.cancel();
  }

  #arm(): { cancel(): void } {
    return this.#clock.after(bookmarkMs, () => {
      for (const due of this.#due) due();
      this.#timer = this.#due.size > 0 ? this.#arm() : undefined;
    });
  }
}
