import type { Log } from "../../base/index.ts";
import type { InformerHandler } from "../informer.ts";
import type { ObjectRef } from "../transport.ts";

export type Notification<T> =
  | { type: "added"; ref: ObjectRef<T> }
  | { type: "updated"; before: ObjectRef<T>; after: ObjectRef<T> }
  | { type: "deleted"; last: ObjectRef<T> };

/** Called in one go while catching up; then the event loop gets its turn. */
export const sliceLength = 32;

/**
 * One handler's notifications, in order.
 *
 * They are passed on at once, but for a handler that was added to a filled cache: it is first told
 * of what is there, in slices, and what happens meanwhile waits behind.
 */
export class HandlerQueue<T> {
  readonly #handler: InformerHandler<T>;
  readonly #log: Log;
  #waiting: Notification<T>[] | undefined;
  #closed = false;

  constructor(handler: InformerHandler<T>, options: { log: Log; present: Iterable<ObjectRef<T>> }) {
    this.#handler = handler;
    this.#log = options.log;
    const waiting = Array.from(options.present, (ref) => ({ type: "added", ref }) as const);
    if (waiting.length === 0) return;
    this.#waiting = waiting;
    setImmediate(() => this.#catchUp());
  }

  notify(notification: Notification<T>): void {
    if (this.#waiting) this.#waiting.push(notification);
    else this.#call(notification);
  }

  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
  }

  #catchUp(): void {
    const waiting = this.#waiting ?? [];
    for (const notification of waiting.slice(0, sliceLength)) this.#call(notification);
    if (this.#closed) return;
    this.#waiting = waiting.slice(sliceLength);
    // Whatever was added while the handlers were called is in there as well.
    if (this.#waiting.length > 0) setImmediate(() => this.#catchUp());
    else this.#waiting = undefined;
  }

  #call(notification: Notification<T>): void {
    if (this.#closed) return;
    try {
      switch (notification.type) {
        case "added":
          this.#handler.added?.(notification.ref.object);
          break;
        case "updated":
          this.#handler.updated?.(notification.before.object, notification.after.object);
          break;
        case "deleted":
          this.#handler.deleted?.(notification.last.object);
          break;
      }
    } catch (error) {
      this.#log.error({ err: error }, "a handler threw");
    }
  }
}
