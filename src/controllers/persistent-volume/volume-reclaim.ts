import { type corev1, provisionedByAnnotation } from "../../api/index.ts";
import { type Client, type EventRecorder, persistentVolumeClaims } from "../../client/index.ts";
import { isStatus } from "../../machinery/index.ts";
import type { VolumeWrites } from "./volume-writes.ts";

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

/** What becomes of a volume whose claim is gone, by its policy. */
export class VolumeReclaim {
  readonly #client: Client;
  readonly #writes: VolumeWrites;
  readonly #recorder: EventRecorder;

  constructor(client: Client, writes: VolumeWrites, recorder: EventRecorder) {
    this.#client = client;
    this.#writes = writes;
    this.#recorder = recorder;
  }

  async reclaim(volume: Volume): Promise<void> {
    switch (volume.spec?.persistentVolumeReclaimPolicy) {
      case "Retain":
        return;
      case "Delete": {
        // Who made it removes it; and drivers remove what is theirs.
        if (volume.metadata.annotations?.[provisionedByAnnotation] || volume.spec.csi) return;
        const why = "no deletable volume plugin matched";
        const message = `error getting deleter volume plugin for volume "${volume.metadata.name}": ${why}`;
        return this.#fail(volume, "VolumeFailedDelete", message);
      }
      case "Recycle":
        return this.#fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!");
      default:
        return this.#fail(
          volume,
          "VolumeUnknownReclaimPolicy",
          "Volume has unrecognized PersistentVolumeReclaimPolicy",
        );
    }
  }

  async readClaim(namespace: string | undefined, name: string): Promise<Claim | undefined> {
    try {
      return await this.#client.resource<Claim>(persistentVolumeClaims).get(namespace, name);
    } catch (error) {
      if (isStatus(error, "NotFound")) return undefined;
      throw error;
    }
  }

  async #fail(volume: Volume, reason: string, message: string): Promise<void> {
    if (volume.status?.phase === "Failed") return;
    const failed = await this.#writes.setPhase(volume, "Failed", message);
    this.#recorder.event(failed, "Warning", reason, message);
  }
}
