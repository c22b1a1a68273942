import { type appsv1, type corev1, isPodTerminal } from "../../api/index.ts";
import {
  createWorkqueue,
  deployments,
  type EventRecorder,
  type Informer,
  pods,
  type ReconcileResult,
  replicaSets,
  runWorkers,
} from "../../client/index.ts";
import { controllerOf, isStatus, keyOf, type LabelSelector, selectorOf } from "../../machinery/index.ts";
import { claim, controllerReference } from "../claim.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { activeSets, byAge, isRolling, replicasOf } from "./counts.ts";
import {
  hashLabel,
  newSetAnnotations,
  revisionAnnotation,
  revisionOf,
  sameTemplate,
  sizeAnnotations,
  templateHash,
} from "./revision.ts";
import { isScaling, newSetReplicas, proportionalStep, rollingStep, type Scaling } from "./rollout.ts";
import {
  type ConditionChange,
  conditionOf,
  deploymentStatus,
  hasDeadline,
  isComplete,
  timedOutInMs,
  withCondition,
  withProgress,
} from "./status.ts";

type Deployment = appsv1.Deployment;
type ReplicaSet = appsv1.ReplicaSet;

const workers = 5;
const owner = { apiVersion: "apps/v1", kind: "Deployment" } as const;

/** Moves pods from one template to the next without losing too many at once. Counterpart upstream: `pkg/controller/deployment`. */
export class DeploymentController implements Controller {
  readonly name = "deployment-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #deployments: Informer<Deployment>;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("deployment-controller");
    this.#deployments = context.informers.informer<Deployment>(deployments);
    this.#sets = context.informers.informer<ReplicaSet>(replicaSets);
    this.#pods = context.informers.informer<corev1.Pod>(pods);
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const stops = [
      this.#deployments.addHandler({
        added: (d) => this.#queue.add(keyOf(d)),
        updated: (_, d) => this.#queue.add(keyOf(d)),
      }),
      this.#sets.addHandler({
        added: (rs) => this.#wake(rs),
        updated: (before, after) => {
          if (controllerOf(before)?.uid !== controllerOf(after)?.uid) this.#wake(before);
          this.#wake(after);
        },
        deleted: (rs) => this.#wake(rs),
      }),
      // Recreate waits until the last old pod is gone.
      this.#pods.addHandler({ deleted: (pod) => this.#wakeByPod(pod) }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  #wake(rs: ReplicaSet): void {
    const controller = controllerOf(rs);
    if (controller) {
      if (controller.kind === owner.kind) this.#queue.add(`${rs.metadata.namespace}/${controller.name}`);
      return;
    }
    for (const d of this.#deployments.list(rs.metadata.namespace)) {
      if (selectorOf(d.spec!.selector).matches(rs.metadata.labels ?? {})) this.#queue.add(keyOf(d));
    }
  }

  #wakeByPod(pod: corev1.Pod): void {
    const set = controllerOf(pod);
    const rs = set && this.#sets.get(`${pod.metadata.namespace}/${set.name}`);
    if (rs) this.#wake(rs);
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const d = this.#deployments.get(key);
    if (!d) return;
    if (d.metadata.deletionTimestamp) {
      const all = this.#owned(d);
      await this.#writeStatus(d, deploymentStatus(d, undefined, all, this.#context.clock.now()));
      return;
    }
    const all = await claim<ReplicaSet>({
      client: this.#context.client.resource<ReplicaSet>(replicaSets),
      owner: { ...owner, object: d },
      selector: selectorOf(d.spec!.selector),
      candidates: this.#sets.list(d.metadata.namespace),
    });
    try {
      return await this.#roll(d, all);
    } catch (error) {
      // Someone else wrote first; what they wrote wakes this key.
      if (isStatus(error, "Conflict") || isStatus(error, "NotFound")) return { afterMs: 5 };
      throw error;
    }
  }

  #owned(d: Deployment): ReplicaSet[] {
    return this.#sets.list(d.metadata.namespace).filter((rs) => controllerOf(rs)?.uid === d.metadata.uid);
  }

  async #roll(d: Deployment, all: readonly ReplicaSet[]): Promise<ReconcileResult> {
    const existing = [...all].sort(byAge).find((rs) => sameTemplate(d.spec as ReplicaSet["spec"], rs.spec));
    const old = all.filter((rs) => rs !== existing);
    if (await this.#notePause(d)) return;
    if (d.spec!.paused || isScaling(d, all)) {
      await this.#apply(d, proportionalStep(d, existing, old));
      return this.#finish(d, existing, all);
    }
    if (!isRolling(d) && (await this.#emptyOld(d, old))) return this.#finish(d, existing, all);
    const newSet = await this.#ensureNewSet(d, existing, old);
    if (!newSet) return;
    const scaling = isRolling(d)
      ? rollingStep(d, newSet, old)
      : replicasOf(newSet) === replicasOf(d)
        ? []
        : [{ rs: newSet, replicas: replicasOf(d) }];
    await this.#apply(d, scaling);
    if (scaling.length === 0 && isComplete(d, d.status ?? {})) await this.#forgetHistory(d, old);
    return this.#finish(d, newSet, existing ? all : [...all, newSet]);
  }

  /** Recreate: true while pods of old ReplicaSets are still there. */
  async #emptyOld(d: Deployment, old: readonly ReplicaSet[]): Promise<boolean> {
    const active = activeSets(old);
    await this.#apply(
      d,
      active.map((rs) => ({ rs, replicas: 0 })),
    );
    if (active.length > 0) return true;
    const uids = new Set(old.map((rs) => rs.metadata.uid));
    return this.#pods
      .list(d.metadata.namespace)
      .some((pod) => !isPodTerminal(pod) && uids.has(controllerOf(pod)?.uid));
  }

  /** The ReplicaSet of the current template: found and marked with its revision, or made. */
  async #ensureNewSet(
    d: Deployment,
    existing: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet | undefined> {
    const client = this.#context.client.resource<ReplicaSet>(replicaSets);
    const revision = Math.max(0, ...old.map(revisionOf)) + 1;
    if (existing) {
      const annotations = newSetAnnotations(d, existing, revision);
      const minReadySeconds = d.spec!.minReadySeconds;
      let current = existing;
      if (
        !sameRecord(annotations, existing.metadata.annotations) ||
        existing.spec!.minReadySeconds !== minReadySeconds
      ) {
        current = await client.update({
          ...existing,
          metadata: { ...existing.metadata, annotations },
          spec: { ...existing.spec!, minReadySeconds },
        });
      }
      await this.#markRevision(d, current, {
        type: "Progressing",
        status: "True",
        reason: "FoundNewReplicaSet",
        message: `Found new replica set "${current.metadata.name}"`,
      });
      return current;
    }
    const wanted = this.#newSet(d, old, revision);
    try {
      const created = await client.create(wanted);
      if (replicasOf(created) > 0) this.#sayScaled(d, created, 0, replicasOf(created));
      await this.#markRevision(d, created, {
        type: "Progressing",
        status: "True",
        reason: "NewReplicaSetCreated",
        message: `Created new replica set "${created.metadata.name}"`,
      });
      return created;
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw await this.#sayCreateFailed(d, wanted, error as Error);
    }
    // The cache is behind, or another template has the same hash.
    const taken = await client.get(wanted.metadata.namespace, wanted.metadata.name!);
    if (controllerOf(taken)?.uid === d.metadata.uid && sameTemplate(taken.spec, wanted.spec)) return taken;
    const collisionCount = (d.status?.collisionCount ?? 0) + 1;
    await this.#writeStatus(d, { ...d.status, collisionCount });
    return undefined;
  }

  #newSet(d: Deployment, old: readonly ReplicaSet[], revision: number): ReplicaSet {
    const template = d.spec!.template;
    const hash = templateHash(template, d.status?.collisionCount);
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const selector: LabelSelector = d.spec!.selector;
    return {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${d.metadata.name}-${hash}`,
        namespace: d.metadata.namespace,
        labels,
        annotations: newSetAnnotations(d, undefined, revision),
        ownerReferences: [controllerReference(owner, d)],
      },
      spec: {
        replicas: newSetReplicas(d, old, 0),
        ...(d.spec!.minReadySeconds !== undefined && { minReadySeconds: d.spec!.minReadySeconds }),
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    } as ReplicaSet;
  }

  async #markRevision(d: Deployment, rs: ReplicaSet, change: ConditionChange): Promise<void> {
    const revision = rs.metadata.annotations?.[revisionAnnotation];
    const client = this.#context.client.resource<Deployment>(deployments);
    const { namespace, name } = d.metadata;
    if (revision !== undefined && d.metadata.annotations?.[revisionAnnotation] !== revision) {
      // By way of the status: what users ask for, which is what the generation counts, has not changed.
      const body = { metadata: { annotations: { [revisionAnnotation]: revision } } };
      await client.patch(namespace, name!, "merge", body, { subresource: "status" });
    }
    const known = conditionOf(d.status, "Progressing");
    const fresh = change.reason === "NewReplicaSetCreated";
    if (!hasDeadline(d) || (known && !fresh)) return;
    const conditions = withCondition(d.status?.conditions ?? [], change, this.#context.clock.now());
    await client.patch(namespace, name!, "merge", { status: { conditions } }, { subresource: "status" });
  }

  async #sayCreateFailed(d: Deployment, rs: ReplicaSet, error: Error): Promise<Error> {
    const message = `Failed to create new replica set "${rs.metadata.name}": ${error.message}`;
    this.#recorder.event(d, "Warning", "ReplicaSetCreateError", message);
    if (hasDeadline(d)) {
      const conditions = withCondition(
        d.status?.conditions ?? [],
        { type: "Progressing", status: "False", reason: "ReplicaSetCreateError", message },
        this.#context.clock.now(),
      );
      await this.#writeStatus(d, { ...d.status, conditions });
    }
    return error;
  }

  /** Pausing and resuming show in the Progressing condition. True when it was written: the write wakes the key. */
  async #notePause(d: Deployment): Promise<boolean> {
    if (!hasDeadline(d)) return false;
    const known = conditionOf(d.status, "Progressing");
    if (known?.reason === "ProgressDeadlineExceeded") return false;
    const wasPaused = known?.reason === "DeploymentPaused";
    if (Boolean(d.spec!.paused) === wasPaused) return false;
    const change: ConditionChange = d.spec!.paused
      ? { type: "Progressing", status: "False", reason: "DeploymentPaused", message: "Deployment is paused" }
      : {
          type: "Progressing",
          status: "False",
          reason: "DeploymentResumed",
          message: "Deployment is resumed",
        };
    const unknown = { ...change, status: "Unknown" as "False" };
    const conditions = withCondition(d.status?.conditions ?? [], unknown, this.#context.clock.now());
    await this.#writeStatus(d, { ...d.status, conditions });
    return true;
  }

  async #apply(d: Deployment, scaling: Scaling): Promise<void> {
    const client = this.#context.client.resource<ReplicaSet>(replicaSets);
    for (const { rs, replicas } of scaling) {
      const annotations = { ...rs.metadata.annotations, ...sizeAnnotations(d) };
      if (replicas === replicasOf(rs) && sameRecord(annotations, rs.metadata.annotations)) continue;
      await client.update({
        ...rs,
        metadata: { ...rs.metadata, annotations },
        spec: { ...rs.spec!, replicas },
      });
      if (replicas !== replicasOf(rs)) this.#sayScaled(d, rs, replicasOf(rs), replicas);
    }
  }

  #sayScaled(d: Deployment, rs: ReplicaSet, from: number, to: number): void {
    const direction = to > from ? "up" : "down";
    const message = `Scaled ${direction} replica set ${rs.metadata.name} from ${from} to ${to}`;
    this.#recorder.event(d, "Normal", "ScalingReplicaSet", message);
  }

  async #finish(
    d: Deployment,
    newSet: ReplicaSet | undefined,
    all: readonly ReplicaSet[],
  ): Promise<ReconcileResult> {
    const nowMs = this.#context.clock.now();
    // What this pass wrote is seen in the next one, which those writes wake.
    const live = this.#deployments.get(keyOf(d)) ?? d;
    if (live.metadata.uid !== d.metadata.uid) return;
    const counted = deploymentStatus(live, newSet, all, nowMs);
    const status = d.spec!.paused ? counted : withProgress(live, counted, newSet, all, nowMs);
    await this.#writeStatus(live, status);
    const afterMs = timedOutInMs(live, status, nowMs);
    return Number.isFinite(afterMs) ? { afterMs: Math.max(afterMs, 0) + 1000 } : undefined;
  }

  async #forgetHistory(d: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const limit = d.spec!.revisionHistoryLimit ?? 10;
    const done = old
      .filter((rs) => !rs.metadata.deletionTimestamp)
      .sort((a, b) => revisionOf(a) - revisionOf(b));
    const client = this.#context.client.resource<ReplicaSet>(replicaSets);
    for (const rs of done.slice(0, Math.max(0, done.length - limit))) {
      const settled = (rs.status?.observedGeneration ?? 0) >= (rs.metadata.generation ?? 0);
      if ((rs.status?.replicas ?? 0) !== 0 || replicasOf(rs) !== 0 || !settled) continue;
      await client.delete(rs.metadata.namespace, rs.metadata.name!, {
        preconditions: { uid: rs.metadata.uid },
      });
    }
  }

  async #writeStatus(d: Deployment, status: appsv1.DeploymentStatus): Promise<void> {
    if (sameStatus(d.status, status)) return;
    await this.#context.client.resource<Deployment>(deployments).updateStatus({ ...d, status });
  }
}

function sameRecord(a: Record<string, string>, b: Record<string, string> | undefined): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b ?? {}).length && keys.every((key) => a[key] === b![key]);
}

function sameStatus(a: appsv1.DeploymentStatus | undefined, b: appsv1.DeploymentStatus): boolean {
  const shape = (status: object | undefined) =>
    JSON.stringify(
      Object.entries(status ?? {})
        .filter(([, value]) => value !== undefined)
        .sort(([x], [y]) => (x < y ? -1 : 1)),
    );
  return shape(a) === shape(b);
}
