import { type appsv1, type corev1, isPodTerminal } from "../../api/index.ts";
import {
  createWorkqueue,
  type EventRecorder,
  type Informer,
  pods,
  type ReconcileResult,
  replicaSets,
  replicationControllers,
  runWorkers,
} from "../../client/index.ts";
import {
  controllerOf,
  type GroupVersionResource,
  isStatus,
  keyOf,
  type Selector,
  StatusError,
  selectorOf,
  selectorOfLabels,
} from "../../machinery/index.ts";
import { claim, controllerReference } from "../claim.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { rankForDeletion } from "./rank.ts";
import { replicaSetStatus } from "./status.ts";

const workers = 5;
/** As upstream's BurstReplicas: how many pods one pass makes or deletes at most. */
const burstReplicas = 500;

/** A kind that keeps replicas, as far as it differs from others: its selector, and what its status has. */
export interface ReplicaSets {
  component: string;
  resource: GroupVersionResource;
  owner: { apiVersion: string; kind: string };
  selectorOf(set: appsv1.ReplicaSet): Selector;
  status(status: appsv1.ReplicaSetStatus): appsv1.ReplicaSetStatus;
}

const replicaSetSets: ReplicaSets = {
  component: "replicaset-controller",
  resource: replicaSets,
  owner: { apiVersion: "apps/v1", kind: "ReplicaSet" },
  selectorOf: ({ spec }) => selectorOf(spec!.selector),
  status: (status) => status,
};

/** As upstream, a ReplicationController is a ReplicaSet whose selector is a map of labels. */
export const replicationControllerSets: ReplicaSets = {
  component: "replication-controller",
  resource: replicationControllers,
  owner: { apiVersion: "v1", kind: "ReplicationController" },
  selectorOf: ({ spec }) => selectorOfLabels(spec!.selector as unknown as Record<string, string>),
  status: ({ terminatingReplicas: _, ...status }) => status,
};

/** Keeps as many pods of a template as asked for. Counterpart upstream: `pkg/controller/replicaset`. */
export class ReplicaSetController implements Controller {
  readonly name: string;
  readonly #kind: ReplicaSets;
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #sets: Informer<appsv1.ReplicaSet>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #queue;
  readonly #ownWrites: OwnWrites;

  constructor(context: ControllerContext, kind = replicaSetSets) {
    this.name = kind.component;
    this.#kind = kind;
    this.#context = context;
    this.#recorder = context.recorder(kind.component);
    this.#sets = context.informers.informer<appsv1.ReplicaSet>(kind.resource);
    this.#pods = context.informers.informer<corev1.Pod>(pods, {
      indexers: { controllerUid: (pod) => [controllerOf(pod)?.uid ?? `orphans/${pod.metadata.namespace}`] },
    });
    this.#queue = createWorkqueue({ clock: context.clock });
    this.#ownWrites = new OwnWrites(context.clock);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const stops = [
      this.#sets.addHandler({
        added: (rs) => this.#queue.add(keyOf(rs)),
        updated: (_, rs) => this.#queue.add(keyOf(rs)),
        deleted: (rs) => {
          this.#ownWrites.forget(keyOf(rs));
          this.#queue.add(keyOf(rs));
        },
      }),
      this.#pods.addHandler({
        added: (pod) => {
          this.#ownWrites.saw(`+${pod.metadata.uid}`);
          if (pod.metadata.deletionTimestamp) this.#ownWrites.saw(`-${pod.metadata.uid}`);
          this.#wake(pod);
        },
        updated: (before, after) => {
          if (after.metadata.deletionTimestamp) this.#ownWrites.saw(`-${after.metadata.uid}`);
          if (controllerOf(before)?.uid !== controllerOf(after)?.uid) this.#wake(before);
          this.#wake(after);
        },
        deleted: (pod) => {
          this.#ownWrites.saw(`-${pod.metadata.uid}`);
          this.#wake(pod);
        },
      }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  /** The ReplicaSet that owns the pod; for an orphan, every one that could adopt it. */
  #wake(pod: corev1.Pod): void {
    const controller = controllerOf(pod);
    const { namespace } = pod.metadata;
    if (controller) {
      if (controller.kind === this.#kind.owner.kind) this.#queue.add(`${namespace}/${controller.name}`);
      return;
    }
    if (pod.metadata.deletionTimestamp) return;
    for (const rs of this.#sets.list(namespace)) {
      if (this.#kind.selectorOf(rs).matches(pod.metadata.labels ?? {})) this.#queue.add(keyOf(rs));
    }
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const rs = this.#sets.get(key);
    // A write that the cache does not show yet will wake this key when it does.
    if (!rs || this.#ownWrites.pending(key)) return;
    const mine = await claim<corev1.Pod>({
      client: this.#context.client.resource<corev1.Pod>(pods),
      owner: { ...this.#kind.owner, object: rs },
      selector: this.#kind.selectorOf(rs),
      candidates: [
        ...this.#pods.byIndex("controllerUid", rs.metadata.uid!),
        ...this.#pods.byIndex("controllerUid", `orphans/${rs.metadata.namespace}`),
      ].filter((pod) => !isPodTerminal(pod)),
    });
    const active = mine.filter((pod) => !pod.metadata.deletionTimestamp);
    let failure: Error | undefined;
    if (!rs.metadata.deletionTimestamp) failure = await this.#scale(key, rs, active);
    const { status, afterMs } = replicaSetStatus(
      rs,
      active,
      mine.length - active.length,
      failure,
      this.#context.clock.now(),
    );
    await this.#writeStatus(rs, this.#kind.status(status));
    if (failure) throw failure;
    return afterMs === undefined ? undefined : { afterMs };
  }

  async #scale(
    key: string,
    rs: appsv1.ReplicaSet,
    active: readonly corev1.Pod[],
  ): Promise<Error | undefined> {
    const difference = (rs.spec!.replicas ?? 1) - active.length;
    try {
      if (difference > 0) await this.#create(key, rs, Math.min(difference, burstReplicas));
      else if (difference < 0)
        await this.#delete(key, rs, rankForDeletion(active).slice(0, Math.min(-difference, burstReplicas)));
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  /** In batches of 1, 2, 4 …: when the first is refused (a quota), hundreds of refusals are not asked for. */
  async #create(key: string, rs: appsv1.ReplicaSet, count: number): Promise<void> {
    const client = this.#context.client.resource<corev1.Pod>(pods);
    for (let done = 0, batch = 1; done < count; done += batch, batch *= 2) {
      batch = Math.min(batch, count - done);
      const results = await Promise.allSettled(
        Array.from({ length: batch }, async () => {
          const pod = await client.create(podFrom(rs, this.#kind.owner));
          if (!this.#pods.get(keyOf(pod))) this.#ownWrites.note(key, `+${pod.metadata.uid}`);
          this.#recorder.event(rs, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
        }),
      );
      const failed = results.find((result) => result.status === "rejected");
      if (!failed) continue;
      const error = failed.reason as Error;
      if (isNamespaceGoing(error)) return;
      this.#recorder.event(rs, "Warning", "FailedCreate", `Error creating: ${error.message}`);
      throw error;
    }
  }

  async #delete(key: string, rs: appsv1.ReplicaSet, victims: readonly corev1.Pod[]): Promise<void> {
    const client = this.#context.client.resource<corev1.Pod>(pods);
    await Promise.all(
      victims.map(async ({ metadata: { namespace, name, uid } }) => {
        this.#ownWrites.note(key, `-${uid}`);
        try {
          await client.delete(namespace, name!, { preconditions: { uid } });
        } catch (error) {
          this.#ownWrites.saw(`-${uid}`);
          if (isStatus(error, "NotFound") || isStatus(error, "Conflict")) return;
          this.#recorder.event(rs, "Warning", "FailedDelete", `Error deleting: ${(error as Error).message}`);
          throw error;
        }
        this.#recorder.event(rs, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
      }),
    );
  }

  async #writeStatus(rs: appsv1.ReplicaSet, status: appsv1.ReplicaSetStatus): Promise<void> {
    if (JSON.stringify(sorted(rs.status)) === JSON.stringify(sorted(status))) return;
    try {
      await this.#context.client
        .resource<appsv1.ReplicaSet>(this.#kind.resource)
        .updateStatus({ ...rs, status });
    } catch (error) {
      // Changed or gone meanwhile: that change wakes the key.
      if (!isStatus(error, "Conflict") && !isStatus(error, "NotFound")) throw error;
    }
  }
}

/** The pod a template stands for, owned by its ReplicaSet. */
function podFrom(rs: appsv1.ReplicaSet, owner: ReplicaSets["owner"]): corev1.Pod {
  const template = rs.spec!.template!;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...template.metadata,
      namespace: rs.metadata.namespace,
      generateName: `${rs.metadata.name}-`,
      ownerReferences: [controllerReference(owner, rs)],
    },
    spec: template.spec,
  } as corev1.Pod;
}

function isNamespaceGoing(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    error.status.details?.causes?.some((cause) => cause.reason === "NamespaceTerminating") === true
  );
}

function sorted(value: object | undefined): [string, unknown][] {
  return Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
