import type { Clock, Timer } from "../../base/index.ts";
import type { KubeObject, StatusError } from "../../machinery/index.ts";
import type { Entry, Revision } from "../../store/index.ts";
import type { Form, Frames } from "../forms/form.ts";
import {
  watchBacklogBytesMax,
  watchBacklogEventsMax,
  watchSocketBytesMax,
  watchStallMsMax,
} from "../limits.ts";
import type { Change, WatchConsumer } from "../verbs/watch.ts";
import type { AnswerStream, Exchange } from "./exchange.ts";

/** How many frames one write may gather. */
const framesPerWrite = 256;

/** What waits for a client that is slower than the events. */
type Waiting = { change: Change } | { frame: Buffer };

/**
 * A watch as it goes to one client. What the client does not take waits here as references, up to a bound; past it, or
 * when the client takes nothing for too long, the watch is cut, and the client begins again where it was.
 */
export class WatchResponse implements WatchConsumer {
  readonly #exchange: Exchange;
  readonly #answer: AnswerStream;
  readonly #frames: Frames;
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #next = 0;
  /** Of what has come since the beginning, and is held for this client. */
  #waitingBytes = 0;
  /** Past the bound there may be this many more: the state that a watch begins with. */
  #initial = 0;
  #blockedSinceMs: number | undefined;
  #isOver = false;
  #deadline: Timer;
  #closed: () => void = () => {};

  constructor(
    exchange: Exchange,
    headers: readonly string[],
    form: Form,
    options: { clock: Clock; lastsMs: number },
  ) {
    this.#exchange = exchange;
    this.#clock = options.clock;
    this.#frames = form.frames();
    this.#answer = exchange.stream(200, [...headers, "content-type", form.watchMediaType]);
    this.#deadline = options.clock.after(options.lastsMs, () => this.end());
    exchange.onClose(() => this.#finish());
  }

  /** Calls back once, when the watch is over for whatever reason. */
  whenOver(closed: () => void): void {
    if (this.#isOver) closed();
    else this.#closed = closed;
  }

  onInitial(entries: readonly Entry[]): void {
    this.#initial = entries.length;
    for (const entry of entries) this.#waiting.push({ change: { type: "ADDED", entry } });
    this.#pump();
  }

  onChanges(changes: readonly Change[]): void {
    if (this.#isOver) return;
    if (this.#next === this.#waiting.length && this.#hasRoom()) {
      const frames: Buffer[] = [];
      for (const change of changes) frames.push(this.#frames.change(change));
      this.#answer.writeFrames(frames);
      return;
    }
    for (const change of changes) {
      this.#waiting.push({ change });
      this.#waitingBytes += change.entry.bytes.length;
    }
    this.#pump();
    this.#requireKeepingUp();
  }

  onBookmark(revision: Revision, means: "progress" | "initial-events-end"): void {
    if (this.#isOver) return;
    this.#waiting.push({ frame: this.#frames.bookmark(revision, means) });
    this.#pump();
    this.#requireKeepingUp();
  }

  onEnd(error: StatusError | undefined): void {
    if (this.#isOver) return;
    if (error) this.#waiting.push({ frame: this.#frames.error(error.status as unknown as KubeObject) });
    this.#pump();
    this.end();
  }

  /** Ends the answer in good order. */
  end(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#answer.end();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    this.#waiting = [];
    this.#closed();
  }

  #hasRoom(): boolean {
    return this.#answer.pendingBytes < watchSocketBytesMax;
  }

  #pump(): void {
    while (this.#next < this.#waiting.length) {
      if (this.#isOver || !this.#hasRoom()) {
        this.#block();
        return;
      }
      const until = Math.min(this.#next + framesPerWrite, this.#waiting.length);
      const frames: Buffer[] = [];
      for (; this.#next < until; this.#next++) {
        const waiting = this.#waiting[this.#next]!;
        frames.push("frame" in waiting ? waiting.frame : this.#frames.change(waiting.change));
      }
      this.#answer.writeFrames(frames);
    }
    this.#waiting = [];
    this.#next = 0;
    this.#initial = 0;
    this.#waitingBytes = 0;
  }

  #block(): void {
    if (this.#isOver || this.#blockedSinceMs !== undefined) return;
    this.#blockedSinceMs = this.#clock.monotonicMs();
    this.#answer.onDrain(() => {
      this.#blockedSinceMs = undefined;
      this.#pump();
    });
  }

  #requireKeepingUp(): void {
    if (this.#isOver || this.#blockedSinceMs === undefined) return;
    const backlog = this.#waiting.length - this.#next - this.#initial;
    const stalledMs = this.#clock.monotonicMs() - this.#blockedSinceMs;
    const isWithin = backlog <= watchBacklogEventsMax && this.#waitingBytes <= watchBacklogBytesMax;
    if (isWithin && stalledMs <= watchStallMsMax) return;
    this.#finish();
    this.#exchange.destroy();
  }
}
