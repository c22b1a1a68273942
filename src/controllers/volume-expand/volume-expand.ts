import { type corev1, provisionedByAnnotation } from "../../api/index.ts";
import {
  type EventRecorder,
  type Informer,
  persistentVolumeClaims,
  persistentVolumes,
} from "../../client/index.ts";
import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";

type Claim = corev1.PersistentVolumeClaim;
type Volume = corev1.PersistentVolume;

/**
 * Tells a claim that asks for more who is waited for. No kind of volume is made larger by Kubernetes itself any more: a
 * driver's resizer does it, where there is one. Counterpart upstream: `pkg/controller/volume/expand`.
 */
export class VolumeExpandController implements Controller {
  readonly name = "persistentvolume-expander-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #claims: Informer<Claim>;
  readonly #volumes: Informer<Volume>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("volume_expand");
    this.#claims = context.informers.informer<Claim>(persistentVolumeClaims);
    this.#volumes = context.informers.informer<Volume>(persistentVolumes);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const stop = this.#claims.addHandler({
      added: (claim) => this.#look(claim),
      updated: (before, claim) => {
        if (requestOf(claim).compare(requestOf(before)) > 0) this.#look(claim);
      },
    });
    signal.addEventListener("abort", stop);
  }

  #look(claim: Claim): void {
    const { phase, capacity } = claim.status ?? {};
    const has = parseQuantity(capacity?.storage ?? "0");
    if (phase !== "Bound" || requestOf(claim).compare(has) <= 0) return;
    const volume = this.#volumes.get(claim.spec!.volumeName ?? "");
    if (!volume) return;
    // One that was made by hand and is no driver's has nobody to make it larger.
    const isHopeful =
      volume.spec?.csi !== undefined || volume.metadata.annotations?.[provisionedByAnnotation] !== undefined;
    const message = "waiting for an external controller to expand this PVC";
    this.#recorder.event(claim, isHopeful ? "Normal" : "Warning", "ExternalExpanding", message);
  }
}

const requestOf = ({ spec }: Claim): Quantity => parseQuantity(spec?.resources?.requests?.storage ?? "0");
