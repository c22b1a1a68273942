import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import { type Clock, SeededRandom, SystemClock, silentLog } from "../../base/index.ts";
import { pods } from "../../client/index.ts";
import { SimulatedRuntime } from "../../runtime/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { defaultConfig } from "../config/read-config.ts";
import type { EventSink } from "../events.ts";
import { createKubelet, type Kubelet } from "../kubelet.ts";
import { FakeApi } from "./fake-api.ts";
import { UsageTable } from "./usage-table.ts";
import { withoutMounts } from "./without-mounts.ts";

/** Far more than any wait of a test should take. */
const patienceMs = 10_000;

export interface SeenEvent {
  reason: string;
  message: string;
  type: string;
  fieldPath?: string;
  annotations?: Readonly<Record<string, string>>;
}

type PodDraft = Partial<corev1.PodSpec> & {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
};

/** A node's agent on a simulated engine, with an API in memory. */
export class TestNode implements AsyncDisposable {
  readonly clock: Clock;
  readonly api: FakeApi;
  readonly runtime: SimulatedRuntime;
  readonly dir: string;
  readonly pods = pods;
  readonly seen: SeenEvent[] = [];
  readonly usage = new UsageTable();
  /** What it is configured with from its next start on. */
  config: KubeletConfig = { ...defaultConfig(), maxPods: 1_000 };
  /** The directory of static pods. */
  readonly manifests: string;
  kubelet!: Kubelet;
  #ended = new AbortController();

  constructor(dir: string, clock: Clock) {
    this.dir = dir;
    this.manifests = join(dir, "manifests");
    this.clock = clock;
    this.api = new FakeApi(clock);
    this.runtime = new SimulatedRuntime({ clock, random: new SeededRandom(1) });
  }

  async start(): Promise<void> {
    this.#ended = new AbortController();
    const events: EventSink = {
      event: ({ fieldPath }, type, reason, message) => this.seen.push({ type, reason, message, fieldPath }),
      annotatedEvent: ({ fieldPath }, annotations, type, reason, message) =>
        this.seen.push({ type, reason, message, fieldPath, annotations }),
    };
    this.kubelet = createKubelet({
      nodeName: "node-1",
      transport: this.api,
      runtime: this.runtime,
      events,
      dir: this.dir,
      clock: this.clock,
      random: new SeededRandom(2),
      log: silentLog,
      nodeIps: ["192.0.2.1"],
      config: this.config,
      usage: this.usage,
      resolvConf: "nameserver 192.0.2.53\n",
      kubernetesService: { host: "10.96.0.1", port: 443 },
      mounter: withoutMounts,
      manifestsDir: this.manifests,
    });
    await this.kubelet.start(this.#ended.signal);
  }

  /** As a kill of the process: another agent finds what this one left. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#ended.abort(new Error("the test has ended"));
    await this.kubelet.stopped;
  }

  /** Makes a pod that is bound to this node. */
  bind({ name, labels, annotations, ...spec }: PodDraft): corev1.Pod {
    const withDefaults = (container: corev1.Container): corev1.Container => ({
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
      imagePullPolicy: "IfNotPresent",
      ...container,
    });
    return this.api.put("pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels, annotations, generation: 1 },
      spec: {
        restartPolicy: "Always",
        terminationGracePeriodSeconds: 30,
        nodeName: "node-1",
        serviceAccountName: "default",
        enableServiceLinks: true,
        ...spec,
        containers: (spec.containers ?? []).map(withDefaults),
        ...(spec.initContainers && { initContainers: spec.initContainers.map(withDefaults) }),
      },
      status: { phase: "Pending" },
    }) as corev1.Pod;
  }

  pod(name: string): corev1.Pod | undefined {
    return this.api.get("pods", "default", name);
  }

  /** The pod's object, once it is as `condition` says. */
  async until(name: string, condition: (pod: corev1.Pod) => boolean): Promise<corev1.Pod> {
    return this.eventually(`${name} is as wanted`, () => {
      const pod = this.pod(name);
      return pod && condition(pod) ? pod : undefined;
    });
  }

  async untilGone(name: string): Promise<void> {
    await this.eventually(`${name} is gone`, () => (this.pod(name) ? undefined : true));
  }

  /** Looks in each turn of the event loop. */
  async eventually<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > endMs) {
        throw new Error(
          `${what}: not within ${patienceMs} ms\n${JSON.stringify(this.api.all("pods"), undefined, 1)}\n${JSON.stringify(this.seen)}`,
        );
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

export async function startNode(
  options: { clock?: Clock; config?: Partial<KubeletConfig> } = {},
): Promise<TestNode> {
  const node = new TestNode(
    await mkdtemp(join(tmpdir(), "peapod-kubelet-")),
    options.clock ?? new SystemClock(),
  );
  node.config = { ...node.config, ...options.config };
  await node.start();
  return node;
}
