import { claimsOfPod, type corev1, notMadeForPod, type PodClaim } from "../../api/index.ts";
import {
  createWorkqueue,
  type EventRecorder,
  type Informer,
  persistentVolumeClaims,
  pods,
  runWorkers,
} from "../../client/index.ts";
import { keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";

type Claim = corev1.PersistentVolumeClaim;

const workers = 4;

/**
 * Makes the claims of generic ephemeral volumes; the garbage collector removes them with their pod. Counterpart
 * upstream: `pkg/controller/volume/ephemeral`.
 */
export class EphemeralVolumeController implements Controller {
  readonly name = "ephemeral-volume-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #pods: Informer<corev1.Pod>;
  readonly #claims: Informer<Claim>;
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("ephemeral_volume");
    this.#pods = context.informers.informer<corev1.Pod>(pods, {
      indexers: {
        ephemeral: (pod) => ephemeralOf(pod).map(({ claimName }) => `${pod.metadata.namespace}/${claimName}`),
      },
    });
    this.#claims = context.informers.informer<Claim>(persistentVolumeClaims);
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log } = this.#context;
    await informers.start(signal);
    const stops = [
      this.#pods.addHandler({
        added: (pod) => {
          if (ephemeralOf(pod).length > 0) this.#queue.add(keyOf(pod));
        },
      }),
      this.#claims.addHandler({
        // A claim that stood in the way is gone, or one of a pod was taken from it.
        deleted: (claim) => {
          for (const pod of this.#pods.byIndex("ephemeral", keyOf(claim))) this.#queue.add(keyOf(pod));
        },
      }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  async #reconcile(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (!pod || pod.metadata.deletionTimestamp) return;
    for (const claim of ephemeralOf(pod)) {
      try {
        await this.#make(pod, claim);
      } catch (error) {
        const message = `ephemeral volume ${claim.volume.name}: ${(error as Error).message}`;
        this.#recorder.event(pod, "Warning", "FailedBinding", message);
        throw error;
      }
    }
  }

  async #make(pod: corev1.Pod, { claimName, volume }: PodClaim): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    const known = this.#claims.get(`${namespace}/${claimName}`);
    if (known) {
      const why = notMadeForPod(pod, known);
      if (why) throw new Error(why);
      return;
    }
    const { metadata, spec } = volume.ephemeral!.volumeClaimTemplate!;
    const owner = { apiVersion: "v1", kind: "Pod", name: name!, uid: uid! };
    const { annotations, labels } = metadata ?? {};
    try {
      await this.#context.client.resource<Claim>(persistentVolumeClaims).create({
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: {
          name: claimName,
          namespace,
          ...(annotations && { annotations }),
          ...(labels && { labels }),
          ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
        },
        spec,
      });
    } catch (error) {
      throw new Error(`create PVC ${claimName}: ${(error as Error).message}`, { cause: error });
    }
  }
}

const ephemeralOf = (pod: corev1.Pod) => claimsOfPod(pod).filter(({ isEphemeral }) => isEphemeral);
