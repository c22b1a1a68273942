import type { corev1 } from "../../api/index.ts";
import type { SteppedClock } from "../../base/index.ts";
import { filesSettled } from "./files-settled.ts";
import type { TestNode } from "./node.ts";

/** What a container does, attempt by attempt; the last goes for all later ones. Left out: it runs until it is stopped. */
export interface Script {
  exitAfterMs?: number;
  exitCode?: number;
  stopAfterMs?: number;
  onStopSignal?: "end" | "ignore";
}

/** How hooks and probes answer, by the first word of their command; by default they succeed at once. */
export type Answers = Record<string, { exitCode?: number; afterMs?: number }>;

/**
 * What happened to a pod's containers, in order: `start init`, `exit init`, `begin HOOK`, `end HOOK`. The counterpart of
 * the log that upstream's container lifecycle tests put together of the containers' own.
 */
export class Diary {
  readonly lines: string[] = [];
  readonly #node: TestNode & { clock: SteppedClock };

  constructor(
    node: TestNode & { clock: SteppedClock },
    scripts: Record<string, Script | readonly Script[]> = {},
    answers: Answers = {},
  ) {
    this.#node = node;
    node.runtime.behaviours = ({ metadata }) => {
      const script = scripts[metadata.name] ?? {};
      const attempts = Array.isArray(script) ? script : [script];
      return {
        ...attempts[Math.min(metadata.attempt, attempts.length - 1)],
        exec: async ([command]) => {
          const { exitCode = 0, afterMs = 0 } = answers[command!] ?? {};
          this.lines.push(`begin ${command}`);
          if (afterMs > 0) await node.clock.sleep(afterMs);
          this.lines.push(`end ${command}`);
          return { exitCode };
        },
      };
    };
    const names = new Map<string, string>();
    node.runtime.onEvent(async ({ type, containerId }) => {
      if (type !== "started" && type !== "exited") return;
      const at = this.lines.push("") - 1;
      const name =
        names.get(containerId!) ?? (await node.runtime.containerStatus(containerId!))?.metadata.name;
      names.set(containerId!, name!);
      this.lines[at] = `${type === "started" ? "start" : "exit"} ${name}`;
    });
  }

  /** Lets time pass until the pod is as wanted. */
  async until(what: string, condition: (pod: corev1.Pod) => boolean, name = "p"): Promise<corev1.Pod> {
    return this.#node.eventually(`${what}; so far ${this.lines.join(", ")}`, async () => {
      await filesSettled();
      await this.#node.clock.step(250);
      const pod = this.#node.pod(name);
      return pod && condition(pod) ? pod : undefined;
    });
  }

  async untilGone(name = "p"): Promise<void> {
    await this.#node.eventually(`${name} is gone; so far ${this.lines.join(", ")}`, async () => {
      await filesSettled();
      await this.#node.clock.step(250);
      return this.#node.pod(name) ? undefined : true;
    });
  }

  count(line: string): number {
    return this.lines.filter((each) => each === line).length;
  }

  /** Whether the first of one line is before the first of the other. */
  isBefore(first: string, second: string): boolean {
    const at = this.lines.indexOf(first);
    const then = this.lines.indexOf(second);
    return at >= 0 && then > at;
  }
}
