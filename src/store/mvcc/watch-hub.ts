import { type Clock, Turn } from "../../base/index.ts";
import type { Revision, StoreEvent, Subscription, Watcher } from "../store.ts";

/** One watch. */
interface Watch {
  watcher: Watcher;
  /** Events up to this revision are not for it: they came before, or are in its backlog. */
  after: Revision;
  /** Events of the past that it has not been given yet. */
  backlog: StoreEvent[];
}

/** The watches of one prefix. */
interface Group {
  watches: Set<Watch>;
  /** Events of the batch under way. */
  batch: StoreEvent[];
}

/** One publication on its way: each step gives it to one more watch. */
interface Round {
  steps: Iterator<void>;
  /** Every watch has it. */
  done(): void;
}

/**
 * Gives events to the watches of their prefixes.
 *
 * - An event costs a look-up for each `/` in its key, however many watches there are.
 * - Watches of one prefix are given one and the same array.
 * - Many watches are served over several turns of the event loop, so that others have theirs; each gets its events in order.
 */
export class WatchHub {
  readonly #clock: Clock;
  readonly #groups = new Map<string, Group>();
  /** The lengths of the watched prefixes, by the part up to the last `/`; with how many prefixes have each. */
  readonly #lengths = new Map<string, Map<number, number>>();
  /** What is not yet given to all, oldest first. */
  readonly #rounds: Round[] = [];

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** `backlog`: what happened between `after` and now, given first and not before this returns. */
  add(
    prefix: string,
    watcher: Watcher,
    options: { after: Revision; backlog: readonly StoreEvent[] },
  ): Subscription {
    const watch: Watch = {
      watcher,
      after: options.after,
      backlog: options.backlog.filter((event) => event.entry.key.startsWith(prefix)),
    };
    const group = this.#groups.get(prefix) ?? this.#addGroup(prefix);
    group.watches.add(watch);
    if (watch.backlog.length > 0) {
      queueMicrotask(() => group.watches.has(watch) && this.#deliver(watch, []));
    }
    return {
      close: () => {
        if (group.watches.delete(watch) && group.watches.size === 0) this.#removeGroup(prefix, group);
      },
    };
  }

  /** Gives `events` away; resolves when every watch has them, and is undefined when that is so already. */
  publish(events: readonly StoreEvent[]): Promise<void> | undefined {
    if (this.#groups.size === 0) return undefined;
    const steps = this.#deliveries(this.#take(events), events.at(-1)!.entry.revision);
    const turn = new Turn(this.#clock);
    if (this.#rounds.length === 0 && isThrough(steps, turn)) return undefined;
    return new Promise((done) => {
      this.#rounds.push({ steps, done });
      if (this.#rounds.length === 1) void this.#goOn(turn);
    });
  }

  /** What is under way is given to all first. */
  close(error: Error): void {
    for (const { steps, done } of this.#rounds.splice(0)) {
      while (!steps.next().done);
      done();
    }
    const groups = [...this.#groups.values()];
    this.#groups.clear();
    this.#lengths.clear();
    for (const { watches } of groups) {
      const ended = [...watches];
      watches.clear();
      for (const { watcher } of ended) guarded(() => watcher.onClose?.(error));
    }
  }

  /** Which watches get which of the events. */
  #take(events: readonly StoreEvent[]): { watches: Set<Watch>; batch: StoreEvent[] }[] {
    const groups: Group[] = [];
    for (const event of events) {
      for (const group of this.#groupsOf(event.entry.key)) {
        if (group.batch.length === 0) groups.push(group);
        group.batch.push(event);
      }
    }
    return groups.map((group) => {
      const { watches, batch } = group;
      group.batch = [];
      return { watches, batch };
    });
  }

  *#deliveries(
    parts: readonly { watches: Set<Watch>; batch: StoreEvent[] }[],
    head: Revision,
  ): Generator<void> {
    for (const { watches, batch } of parts) {
      for (const watch of watches) {
        // One that was added since, by another watcher perhaps, has seen this batch.
        if (watch.after >= head) continue;
        this.#deliver(watch, batch);
        yield;
      }
    }
  }

  async #goOn(turn: Turn): Promise<void> {
    while (this.#rounds.length > 0) {
      await turn.yield();
      while (this.#rounds.length > 0 && isThrough(this.#rounds[0]!.steps, turn)) this.#rounds.shift()!.done();
    }
  }

  #deliver(watch: Watch, batch: StoreEvent[]): void {
    const events = watch.backlog.length === 0 ? batch : [...watch.backlog, ...batch];
    watch.backlog = [];
    if (events.length > 0) guarded(() => watch.watcher.onEvents(events));
  }

  *#groupsOf(key: string): Generator<Group> {
    for (let slash = -1; ; ) {
      const lengths = this.#lengths.get(key.slice(0, slash + 1));
      if (lengths) {
        for (const length of lengths.keys()) {
          const group = length <= key.length && this.#groups.get(key.slice(0, length));
          if (group) yield group;
        }
      }
      slash = key.indexOf("/", slash + 1);
      if (slash < 0) return;
    }
  }

  #addGroup(prefix: string): Group {
    const group: Group = { watches: new Set(), batch: [] };
    this.#groups.set(prefix, group);
    const directory = directoryOf(prefix);
    const lengths = this.#lengths.get(directory) ?? new Map<number, number>();
    this.#lengths.set(directory, lengths.set(prefix.length, (lengths.get(prefix.length) ?? 0) + 1));
    return group;
  }

  #removeGroup(prefix: string, group: Group): void {
    if (this.#groups.get(prefix) !== group) return;
    this.#groups.delete(prefix);
    const directory = directoryOf(prefix);
    const lengths = this.#lengths.get(directory)!;
    const left = lengths.get(prefix.length)! - 1;
    if (left > 0) lengths.set(prefix.length, left);
    else lengths.delete(prefix.length);
    if (lengths.size === 0) this.#lengths.delete(directory);
  }
}

/** Goes on with a round until its end, or that of the turn. */
function isThrough(steps: Iterator<void>, turn: Turn): boolean {
  while (!steps.next().done) if (turn.isOver) return false;
  return true;
}

const directoryOf = (prefix: string) => prefix.slice(0, prefix.lastIndexOf("/") + 1);

/** A watcher that throws breaks its contract: the others still get their events, then the process crashes. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
