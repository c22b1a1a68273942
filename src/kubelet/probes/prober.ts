import type { corev1 } from "../../api/index.ts";
import type { Clock, Log, Random } from "../../base/index.ts";
import type { Dialer, Runtime } from "../../runtime/index.ts";
import { type EventSink, podTarget } from "../events.ts";
import type { ObservedContainer, ProbeVerdict } from "../plan/observation.ts";
import type { Series } from "../stats/exposition.ts";
import { containerIdOf } from "../status/container-statuses.ts";
import type { PodProbes } from "../worker/services.ts";
import { DueQueue } from "./due-queue.ts";
import { ProbeCounts } from "./probe-counts.ts";
import { afterResult, firstState, type ProbeState, type ProbeType } from "./probe-state.ts";
import { type ProbeOutcome, runProbe } from "./run-probe.ts";

export interface ProberOptions {
  clock: Clock;
  random: Random;
  log: Log;
  runtime: Runtime;
  dialer: Dialer;
  events: EventSink;
}

/** As prober: what cannot be run is tried this often before it counts as run. */
const triesMax = 3;

const specFields = {
  startup: "startupProbe",
  liveness: "livenessProbe",
  readiness: "readinessProbe",
} as const;
const shownNames = { startup: "Startup", liveness: "Liveness", readiness: "Readiness" } as const;
const types = ["startup", "liveness", "readiness"] as const;

/** One probe of one running container. */
interface Probe {
  pod: corev1.Pod;
  container: corev1.Container;
  containerId: string;
  type: ProbeType;
  spec: corev1.Probe;
  state: ProbeState;
  counts: ProbeCounts;
  startedAtMs: number;
  podIp: string | undefined;
  isRunning: boolean;
  isQueued: boolean;
  isEnded: boolean;
}

interface Watched {
  podUid: string;
  probes: Probe[];
  onChange: () => void;
}

/** Runs the probes of this node's containers, and keeps what they say. As `pkg/kubelet/prober`. */
export class Prober implements PodProbes {
  readonly #options: ProberOptions;
  readonly #startMs: number;
  readonly #byContainer = new Map<string, Watched>();
  readonly #byPod = new Map<string, Set<string>>();
  readonly #queue: DueQueue<Probe>;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#startMs = options.clock.now();
    this.#queue = new DueQueue(options.clock, (probe) => {
      probe.isQueued = false;
      void this.#run(probe);
    });
  }

  sync(
    pod: corev1.Pod,
    running: readonly ObservedContainer[],
    podIp: string | undefined,
    onChange: () => void,
  ): void {
    const uid = pod.metadata.uid!;
    const known = this.#byPod.get(uid);
    if (!known && running.length === 0) return;
    const now = new Set(running.map(({ id }) => id));
    for (const id of known ?? []) if (!now.has(id)) this.#end(id);
    for (const observed of running) {
      const watched = this.#byContainer.get(observed.id);
      if (!watched) this.#begin(pod, observed, podIp, onChange);
      else {
        for (const probe of watched.probes) {
          probe.pod = pod;
          probe.podIp = podIp;
          if (pod.metadata.deletionTimestamp && probe.type !== "readiness") probe.isEnded = true;
        }
      }
    }
  }

  verdict(containerId: string): ProbeVerdict | undefined {
    const watched = this.#byContainer.get(containerId);
    if (!watched) return undefined;
    const verdict: ProbeVerdict = {};
    for (const { type, state, pod } of watched.probes) {
      // As prober: a pod being deleted is not killed for its probes.
      const isQuiet = pod.metadata.deletionTimestamp && type !== "readiness";
      const shown = isQuiet ? "success" : state.verdict;
      if (shown) verdict[type] = shown;
    }
    return verdict;
  }

  /** How often each probe of what runs has been tried, by result. */
  get counts(): readonly Series[] {
    return [...this.#byContainer.values()].flatMap(({ probes }) =>
      probes.flatMap(({ counts }) => counts.series()),
    );
  }

  forget(podUid: string): void {
    for (const id of this.#byPod.get(podUid) ?? []) this.#end(id);
    this.#byPod.delete(podUid);
  }

  close(): void {
    for (const id of [...this.#byContainer.keys()]) this.#end(id);
    this.#queue.close();
  }

  #begin(
    pod: corev1.Pod,
    observed: ObservedContainer,
    podIp: string | undefined,
    onChange: () => void,
  ): void {
    const uid = pod.metadata.uid!;
    const spec = pod.spec!;
    const container =
      spec.containers.find(({ name }) => name === observed.name) ??
      spec.initContainers?.find(
        ({ name, restartPolicy }) => name === observed.name && restartPolicy === "Always",
      );
    if (!container) return;
    const startedAtMs = observed.startedAtMs ?? observed.createdAtMs;
    const probes = types
      .filter((type) => container[specFields[type]] !== undefined)
      .map((type): Probe => {
        const probe = container[specFields[type]]!;
        return {
          pod,
          container,
          containerId: observed.id,
          type,
          spec: probe,
          state: this.#firstState(pod, observed, type, startedAtMs),
          counts: new ProbeCounts(pod, container.name, shownNames[type]),
          startedAtMs,
          podIp,
          isRunning: false,
          isQueued: false,
          isEnded: false,
        };
      });
    this.#byContainer.set(observed.id, { podUid: uid, probes, onChange });
    const ids = this.#byPod.get(uid) ?? new Set();
    ids.add(observed.id);
    this.#byPod.set(uid, ids);
    for (const probe of probes) if (!probe.state.isDone) this.#enqueueFirst(probe);
  }

  /** After a restart of the agent a container that was ready, or had started, still is. */
  #firstState(
    pod: corev1.Pod,
    observed: ObservedContainer,
    type: ProbeType,
    startedAtMs: number,
  ): ProbeState {
    const fresh = firstState(type);
    if (startedAtMs >= this.#startMs) return fresh;
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    const before = statuses.find(
      ({ name, containerID }) => name === observed.name && containerID === containerIdOf(observed),
    );
    if (type === "startup" && before?.started) return { ...fresh, verdict: "success", isDone: true };
    if (type === "readiness" && before?.ready) return { ...fresh, verdict: "success" };
    return fresh;
  }

  #firstDelayMs({ spec, startedAtMs }: Probe): number {
    const { clock, random } = this.#options;
    const delayMs = (spec.initialDelaySeconds ?? 0) * 1_000;
    // Not longer, where the clock was set back since the start.
    const initialMs = Math.min(startedAtMs + delayMs - clock.now(), delayMs);
    const periodMs = periodMsOf(spec);
    // As prober: after its own restart the agent spreads the probes of what it finds.
    const isFound = startedAtMs < this.#startMs;
    return Math.max(initialMs, isFound ? random.fraction() * periodMs : 0, 0);
  }

  #enqueueFirst(probe: Probe): void {
    probe.isQueued = true;
    this.#queue.add(probe, this.#firstDelayMs(probe));
  }

  #enqueueNext(probe: Probe, delayMs: number): void {
    if (probe.isQueued || probe.isEnded) return;
    probe.isQueued = true;
    this.#queue.addRoughly(probe, delayMs, periodMsOf(probe.spec));
  }

  #end(containerId: string): void {
    const watched = this.#byContainer.get(containerId);
    if (!watched) return;
    for (const probe of watched.probes) probe.isEnded = true;
    this.#byContainer.delete(containerId);
    const ids = this.#byPod.get(watched.podUid);
    ids?.delete(containerId);
    if (ids?.size === 0) this.#byPod.delete(watched.podUid);
  }

  async #run(probe: Probe): Promise<void> {
    if (probe.isEnded || probe.isRunning || probe.state.isDone) return;
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    if (probe.type === "startup" || this.#hasStarted(probe)) {
      probe.isRunning = true;
      const outcome = await this.#try(probe);
      probe.isRunning = false;
      if (probe.isEnded) return;
      this.#judge(probe, outcome);
    }
    if (!probe.state.isDone)
      this.#enqueueNext(probe, periodMsOf(probe.spec) - (clock.monotonicMs() - beganMs));
  }

  #hasStarted({ containerId }: Probe): boolean {
    const startup = this.#byContainer.get(containerId)?.probes.find(({ type }) => type === "startup");
    return !startup || startup.state.verdict === "success";
  }

  async #try(probe: Probe): Promise<ProbeOutcome> {
    let outcome: ProbeOutcome = { outcome: "error", message: "not run" };
    for (let tries = 0; tries < triesMax && !probe.isEnded; tries++) {
      outcome = await runProbe(probe.spec, probe, this.#options);
      if (outcome.outcome !== "error") break;
    }
    return outcome;
  }

  #judge(probe: Probe, outcome: ProbeOutcome): void {
    this.#tell(probe, outcome);
    probe.counts.count(outcome.outcome);
    if (outcome.outcome === "error") return;
    const before = probe.state.verdict;
    const result = outcome.outcome === "failure" ? "failure" : "success";
    probe.state = afterResult(probe.state, probe.type, probe.spec, result);
    if (probe.state.verdict === before) return;
    const watched = this.#byContainer.get(probe.containerId);
    if (probe.type === "startup" && probe.state.verdict === "success") {
      // What waited for the start need not wait for its period.
      for (const other of watched?.probes ?? []) if (other.type !== "startup") void this.#runSoon(other);
    }
    watched?.onChange();
  }

  async #runSoon(probe: Probe): Promise<void> {
    const due = probe.startedAtMs + (probe.spec.initialDelaySeconds ?? 0) * 1_000;
    if (due <= this.#options.clock.now()) await this.#run(probe);
  }

  #tell({ pod, container, type }: Probe, outcome: ProbeOutcome): void {
    const said = told(shownNames[type], outcome);
    if (said)
      this.#options.events.event(podTarget(pod, container.name), "Warning", said.reason, said.message);
  }
}

function told(probe: string, outcome: ProbeOutcome): { reason: string; message: string } | undefined {
  switch (outcome.outcome) {
    case "success":
      return undefined;
    case "warning":
      return { reason: "ProbeWarning", message: `${probe} probe warning: ${outcome.output}` };
    case "failure":
      return { reason: "Unhealthy", message: `${probe} probe failed: ${outcome.output}` };
    case "error":
      return {
        reason: "Unhealthy",
        message: `${probe} probe errored and resulted in unknown state: ${outcome.message}`,
      };
  }
}

const periodMsOf = (spec: corev1.Probe) => Math.max(spec.periodSeconds ?? 10, 1) * 1_000;
