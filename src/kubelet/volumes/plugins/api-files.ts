import { join } from "node:path";
import type { corev1 } from "../../../api/index.ts";
import type { Clock } from "../../../base/index.ts";
import type { NodeFacts } from "../../container/field-ref.ts";
import type { ObjectCache } from "../../references/object-cache.ts";
import type { MountedVolume } from "../../worker/services.ts";
import { writeAtomically } from "../atomic-writer.ts";
import { payloadOf } from "../payload.ts";
import { folderOfPlugin, type SetUpContext, type VolumePlugin, type VolumeSpec } from "../plugin.ts";
import type { TokenManager } from "../token-manager.ts";
import { makeVolumeFolder } from "../volume-folder.ts";

interface ApiFilesOptions {
  /** A tmpfs (where the host allows): what must not reach a disk. */
  memoryDir: string;
  clock: Clock;
  objects: ObjectCache;
  tokens: TokenManager;
  node(): NodeFacts;
}

/** The volumes whose files the agent writes out of objects: upstream's name of each, and whether it holds secrets. */
const sources = {
  configMap: { name: "kubernetes.io/configmap", medium: "disk" },
  secret: { name: "kubernetes.io/secret", medium: "memory" },
  downwardAPI: { name: "kubernetes.io/downward-api", medium: "disk" },
  projected: { name: "kubernetes.io/projected", medium: "memory" },
} as const satisfies Partial<Record<keyof corev1.Volume, { name: string; medium: "disk" | "memory" }>>;

/** Files made of objects of the API, replaced all at once when those change. */
class ApiFilesPlugin implements VolumePlugin {
  readonly name: string;
  readonly followsObjects = true;
  readonly #source: keyof typeof sources;
  readonly #options: ApiFilesOptions;

  constructor(source: keyof typeof sources, options: ApiFilesOptions) {
    this.name = sources[source].name;
    this.#source = source;
    this.#options = options;
  }

  canHandle({ volume }: VolumeSpec): boolean {
    return volume[this.#source] !== undefined;
  }

  mayMount(): boolean {
    return false;
  }

  async setUp(spec: VolumeSpec, { pod, folder, fsGroup }: SetUpContext): Promise<MountedVolume> {
    const { clock, memoryDir, node, objects, tokens } = this.#options;
    const uid = pod.metadata.uid!;
    const files = await payloadOf(spec.volume, {
      pod,
      node: node(),
      objects: objects.forPod(uid),
      token: (projection) => tokens.token(pod, projection),
    });
    const target =
      sources[this.#source].medium === "memory"
        ? join(memoryDir, uid, folderOfPlugin(this.name), spec.name)
        : folder;
    await makeVolumeFolder(target, fsGroup);
    await writeAtomically(target, files!, { gid: fsGroup, nowMs: clock.now() });
    return { hostPath: target, readOnly: true };
  }
}

export function apiFilesPlugins(options: ApiFilesOptions): VolumePlugin[] {
  return (Object.keys(sources) as (keyof typeof sources)[]).map(
    (source) => new ApiFilesPlugin(source, options),
  );
}
