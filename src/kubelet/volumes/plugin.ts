import type { corev1 } from "../../api/index.ts";
import type { MountedVolume, VolumeUsage } from "../worker/services.ts";

/** One volume of one pod, with what stands behind it. As `volume.Spec` upstream. */
export interface VolumeSpec {
  /** What its folder is called: the volume's name in the pod, or that of its persistent volume. */
  name: string;
  /** As the pod's spec has it. */
  volume: corev1.Volume;
  /** Where the pod's spec has a claim: what that is bound to. */
  persistentVolume?: corev1.PersistentVolume;
  /** For all of the pod's containers, as the pod says it of a claim. */
  readOnly: boolean;
}

/** What a plugin is told of the pod whose volume it sets up. */
export interface SetUpContext {
  pod: corev1.Pod;
  /** `…/pods/UID/volumes/PLUGIN/NAME`, for a block device `…/volumeDevices/PLUGIN/NAME`; not made yet. */
  folder: string;
  /** The pod's fsGroup. */
  fsGroup: number | undefined;
  /** Aborted when the pod is to end. */
  signal: AbortSignal;
}

/** A volume on the disk, as another agent may have left it: nothing else is known of it. */
export interface VolumePlace {
  podUid: string;
  /** The volume's name in the pod, or that of its persistent volume. */
  name: string;
  folder: string;
}

/**
 * One type of volume on this node. As `pkg/volume` upstream.
 *
 * - The disk is the state: what is set up can be torn down by an agent that knows nothing but the folder.
 * - Setting up is idempotent: it is done again after a restart, and again where the content follows the API.
 * - What is mounted in the folder is unmounted, and the folder removed, by the volume manager; `tearDown` is for
 *   what stands elsewhere.
 */
export interface VolumePlugin {
  /** Upstream's; names the folder, with `~` for `/`. */
  readonly name: string;
  canHandle(spec: VolumeSpec): boolean;
  setUp(spec: VolumeSpec, context: SetUpContext): Promise<MountedVolume>;
  tearDown?(place: VolumePlace): Promise<void>;
  /** As `setUp`, of a volume that is a block device: what it returns has a `devicePath`. Without it there are none. */
  map?(spec: VolumeSpec, context: SetUpContext): Promise<MountedVolume>;
  unmap?(place: VolumePlace): Promise<void>;
  /** The pod has nothing of any plugin here any more. */
  podLeft?(podUid: string): void;
  /** Whether setting up may mount something below the folder. */
  mayMount(spec: VolumeSpec): boolean;
  /**
   * Whether the volume is not attached because the node has as many of its kind as it can have. Asked of one that has
   * been waited for in vain. As `VerifyExhaustedResource` upstream.
   */
  isNodeFull?(spec: VolumeSpec): Promise<boolean>;
  /** Calls `listener` when what setting up lacked may have come, so that it is tried again at once. */
  onAvailable?(listener: () => void): () => void;
  /** What is used of it, where the file system that is mounted there does not tell. */
  usage?(spec: VolumeSpec, podUid: string, mounted: MountedVolume): Promise<Omit<VolumeUsage, "name">>;
  /** Whether it is set up again when one of the API's objects it was made from changes. */
  readonly followsObjects?: boolean;
}

/** What a volume waits for comes by itself, or is told by whoever is to bring it: no event says that it was missing. */
export class WaitsForOthers extends Error {
  override name = "WaitsForOthers";
}

/** A plugin's name as that of a folder. */
export const folderOfPlugin = (name: string) => name.replaceAll("/", "~");

/** Whether its pods get the device itself. */
export const isBlock = ({ persistentVolume }: VolumeSpec) => persistentVolume?.spec?.volumeMode === "Block";
