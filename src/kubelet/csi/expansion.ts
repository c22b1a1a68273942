import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { persistentVolumeClaims, persistentVolumes, type Transport } from "../../client/index.ts";
import { formatTime, parseQuantity } from "../../machinery/index.ts";
import { claimTarget, type EventSink, podTarget } from "../events.ts";
import { RpcError } from "../plugins/rpc-error.ts";
import { messageOf } from "../worker/start-error.ts";
import type { CsiDriver } from "./csi-driver.ts";
import type { CsiVolume } from "./csi-volume.ts";
import { type DueExpansion, dueExpansion, resizeConditions, withError } from "./due-expansion.ts";
import { secretTexts } from "./publish-content.ts";

type Claim = corev1.PersistentVolumeClaim;

export interface ExpansionPlace {
  pod: corev1.Pod;
  /** The name of the persistent volume. */
  name: string;
  /** Where the pod has it: a folder, or a device. */
  volumePath: string;
  stagingPath: string | undefined;
  signal: AbortSignal;
}

/**
 * The last step of a volume that has been made larger: it grows on the node (NodeExpandVolume), and its claim says so.
 * Counterpart upstream: `operationexecutor.NodeExpander` and `pkg/volume/csi/expander.go`.
 *
 * - A driver that cannot do it while the volume is in use is not asked again, and holds nobody up.
 * - What cannot be done is told in the claim, so that its resizer goes by what the user asks for then.
 */
export class Expansion {
  readonly #transport: Transport;
  readonly #events: EventSink;
  readonly #clock: Clock;
  /** By place: what came of it last. */
  readonly #failed = new Map<string, "in use" | "final">();

  constructor(options: { transport: Transport; events: EventSink; clock: Clock }) {
    this.#transport = options.transport;
    this.#events = options.events;
    this.#clock = options.clock;
  }

  async expandIfDue(driver: CsiDriver, volume: CsiVolume, place: ExpansionPlace): Promise<void> {
    if (this.#failed.get(place.volumePath) === "in use") return;
    const { object: found } = await this.#transport.request({
      verb: "get",
      resource: persistentVolumes,
      name: place.name,
    });
    const { name, namespace } = (found as corev1.PersistentVolume).spec?.claimRef ?? {};
    if (!name || !namespace) return;
    const { object: claim } = await this.#transport.request({
      verb: "get",
      resource: persistentVolumeClaims,
      ...{ name, namespace },
    });
    const due = dueExpansion(claim, found);
    if (!due) return;
    if (volume.readOnly) {
      const message = `MountVolume.NodeExpandVolume failed for volume "${place.name}" requested read-only file system`;
      this.#tell(place.pod, claim, "Warning", "FileSystemResizeFailed", message);
      return;
    }
    // A driver that has no such step is done with it.
    if (await driver.can("EXPAND_VOLUME", place.signal)) {
      if ((await this.#expand(driver, volume, place, claim, due)) === "in use") return;
      const message = `MountVolume.NodeExpandVolume succeeded for volume "${place.name}" ${place.pod.spec!.nodeName}`;
      this.#tell(place.pod, claim, "Normal", "FileSystemResizeSuccessful", message);
    }
    await this.#patch(claim, {
      capacity: { storage: due.storage },
      conditions: (claim.status?.conditions ?? []).filter(
        ({ type }: { type: string }) => !resizeConditions.has(type),
      ),
      allocatedResourceStatuses: { storage: null },
    });
  }

  /** The pod has it no more. */
  forget(volumePath: string): void {
    this.#failed.delete(volumePath);
  }

  async #expand(
    driver: CsiDriver,
    volume: CsiVolume,
    place: ExpansionPlace,
    claim: Claim,
    due: DueExpansion,
  ): Promise<"done" | "in use"> {
    const { name, pod, signal, stagingPath, volumePath } = place;
    if (due.isTracked)
      await this.#patch(claim, { allocatedResourceStatuses: { storage: "NodeResizeInProgress" } });
    try {
      const secrets = await secretTexts(this.#transport, "NodeExpandSecretRef", volume.expandSecret);
      const bytes = parseQuantity(due.storage).value();
      const request = { volumeId: volume.handle, volumePath, use: volume.use, bytes, secrets };
      await driver.expand({ ...request, ...(stagingPath !== undefined && { stagingPath }) }, signal);
      this.#failed.delete(volumePath);
      return "done";
    } catch (error) {
      const isInUse = error instanceof RpcError && error.code === "FailedPrecondition";
      if (due.isTracked && error instanceof RpcError && error.isFinal)
        await this.#tellClaim(claim, due, error, this.#failed.has(volumePath));
      if (isInUse || (error instanceof RpcError && error.isFinal))
        this.#failed.set(volumePath, isInUse ? "in use" : "final");
      if (isInUse) return "in use";
      const message = `NodeExpandVolume failed for volume "${name}" : Expander.NodeExpand failed to expand the volume : ${messageOf(error)}`;
      this.#events.event(podTarget(pod), "Warning", "VolumeResizeFailed", message);
      throw new Error(message, { cause: error });
    }
  }

  /** `isAgain`: it has failed so before; where the user asks for another size by now, that one is not waited for. */
  async #tellClaim(claim: Claim, due: DueExpansion, error: RpcError, isAgain: boolean): Promise<void> {
    const isImpossible = ["InvalidArgument", "OutOfRange", "NotFound"].includes(error.code);
    const wanted = claim.spec?.resources?.requests?.storage;
    const isOutdated =
      isAgain && wanted !== undefined && parseQuantity(wanted).compare(parseQuantity(due.storage)) !== 0;
    await this.#patch(claim, {
      conditions: withError(claim.status?.conditions, error.message, formatTime(this.#clock.now())),
      ...((isImpossible || isOutdated) && { allocatedResourceStatuses: { storage: "NodeResizeInfeasible" } }),
    });
  }

  #tell(pod: corev1.Pod, claim: Claim, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#events.event(podTarget(pod), type, reason, message);
    this.#events.event(claimTarget(claim), type, reason, message);
  }

  async #patch({ metadata }: Claim, status: object): Promise<void> {
    const { name, namespace, uid } = metadata;
    await this.#transport.request({
      ...{ verb: "patch", resource: persistentVolumeClaims, subresource: "status", name, namespace },
      patch: { type: "merge", body: { metadata: { uid }, status } },
    });
  }
}
