import type { Clock } from "../../base/index.ts";
import type { RpcClient } from "../plugins/rpc.ts";
import type {
  AccessModeKind,
  Message,
  MethodName,
  NodeCapability,
  RequestOf,
  ResponseOf,
  Sparse,
} from "../plugins/wire/index.ts";
import type { VolumeUsage } from "../worker/services.ts";

/** As upstream's `csiTimeout`. */
export const csiTimeoutMsDefault = 120_000;

const usageMsMax = 5_000;

/** How one volume is to be used. */
export interface VolumeUse {
  kind: "mount" | "block";
  /** Kubernetes' name of it: `ReadWriteOnce`. */
  accessMode: string;
  fsType?: string;
  mountOptions?: readonly string[];
  /** The pod's fsGroup, where the driver is to apply it. */
  mountGroup?: number;
}

export interface StageRequest {
  volumeId: string;
  stagingPath: string;
  use: VolumeUse;
  publishContext: Readonly<Record<string, string>>;
  volumeContext: Readonly<Record<string, string>>;
  secrets: Readonly<Record<string, string>>;
}

export interface PublishRequest extends Omit<StageRequest, "stagingPath"> {
  stagingPath: string | undefined;
  targetPath: string;
  readOnly: boolean;
}

/** The node's service of one registered driver. Counterpart upstream: `csiDriverClient`. */
export class CsiDriver {
  readonly name: string;
  readonly endpoint: string;
  readonly #client: RpcClient;
  readonly #timeoutMs: number;
  #capabilities: Promise<ReadonlySet<NodeCapability>> | undefined;

  constructor(options: { name: string; endpoint: string; client: RpcClient; timeoutMs: number }) {
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.#client = options.client;
    this.#timeoutMs = options.timeoutMs;
  }

  static async connect(options: {
    name: string;
    endpoint: string;
    clock: Clock;
    timeoutMs: number;
  }): Promise<CsiDriver> {
    // gRPC takes a tenth of a second to load, which a node without drivers is not to wait for.
    const { RpcClient } = await import("../plugins/rpc.ts");
    return new CsiDriver({ ...options, client: new RpcClient(options.endpoint, options.clock) });
  }

  close(): void {
    this.#client.close();
  }

  /** Asked once: a driver that becomes another registers again. */
  async can(capability: NodeCapability, signal?: AbortSignal): Promise<boolean> {
    this.#capabilities ??= this.#getCapabilities(signal).catch((error) => {
      this.#capabilities = undefined;
      throw error;
    });
    return (await this.#capabilities).has(capability);
  }

  async #getCapabilities(signal: AbortSignal | undefined): Promise<ReadonlySet<NodeCapability>> {
    const { capabilities } = await this.#call("NodeGetCapabilities", {}, signal);
    return new Set(capabilities.flatMap(({ rpc }) => (rpc ? [rpc.type] : [])));
  }

  getInfo(signal?: AbortSignal): Promise<Message<"NodeGetInfoResponse">> {
    return this.#call("NodeGetInfo", {}, signal);
  }

  async stage(
    { volumeId, stagingPath, use, publishContext, volumeContext, secrets }: StageRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const request = {
      ...{ volumeId, publishContext, volumeContext, secrets },
      stagingTargetPath: stagingPath,
      volumeCapability: await this.#capability(use, signal),
    };
    await this.#call("NodeStageVolume", request, signal);
  }

  async unstage(volumeId: string, stagingTargetPath: string): Promise<void> {
    await this.#call("NodeUnstageVolume", { volumeId, stagingTargetPath });
  }

  async publish(
    {
      volumeId,
      stagingPath,
      targetPath,
      use,
      readOnly,
      publishContext,
      volumeContext,
      secrets,
    }: PublishRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const request = {
      ...{ volumeId, targetPath, publishContext, volumeContext, secrets },
      stagingTargetPath: stagingPath ?? "",
      volumeCapability: await this.#capability(use, signal),
      readonly: readOnly,
    };
    await this.#call("NodePublishVolume", request, signal);
  }

  async unpublish(volumeId: string, targetPath: string): Promise<void> {
    await this.#call("NodeUnpublishVolume", { volumeId, targetPath });
  }

  async expand(
    request: { volumeId: string; volumePath: string; stagingPath?: string; use: VolumeUse; bytes: number } & {
      secrets: Readonly<Record<string, string>>;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { volumeId, volumePath, stagingPath = "", use, bytes, secrets } = request;
    const body = {
      ...{ volumeId, volumePath, secrets },
      stagingTargetPath: stagingPath,
      capacityRange: { requiredBytes: bytes },
      volumeCapability: await this.#capability(use, signal),
    };
    await this.#call("NodeExpandVolume", body, signal);
  }

  /** Who asks what is used is not kept waiting for a driver that hangs. */
  async usage(volumeId: string, volumePath: string): Promise<Omit<VolumeUsage, "name">> {
    const request = { volumeId, volumePath };
    const { usage } = await this.#client.call("csi.v1.Node", "NodeGetVolumeStats", request, {
      timeoutMs: Math.min(this.#timeoutMs, usageMsMax),
    });
    const bytes = usage.find(({ unit }) => unit === "BYTES");
    const inodes = usage.find(({ unit }) => unit === "INODES");
    return {
      ...(bytes && { capacityBytes: bytes.total, availableBytes: bytes.available, usedBytes: bytes.used }),
      ...(inodes && { inodes: inodes.total, inodesFree: inodes.available, inodesUsed: inodes.used }),
    };
  }

  async #capability(use: VolumeUse, signal: AbortSignal): Promise<Sparse<"VolumeCapability">> {
    const many = await this.can("SINGLE_NODE_MULTI_WRITER", signal);
    const accessMode = { mode: accessModeOf(use.accessMode, many ? "tells writers apart" : "one writer") };
    if (use.kind === "block") return { block: {}, accessMode };
    return {
      mount: {
        fsType: use.fsType ?? "",
        mountFlags: use.mountOptions ?? [],
        volumeMountGroup: use.mountGroup === undefined ? "" : String(use.mountGroup),
      },
      accessMode,
    };
  }

  #call: CallNode = (method, request, signal) =>
    this.#client.call("csi.v1.Node", method, request, { timeoutMs: this.#timeoutMs, signal });
}

type CallNode = <M extends MethodName<"csi.v1.Node">>(
  method: M,
  request: Sparse<RequestOf<"csi.v1.Node", M>>,
  signal?: AbortSignal,
) => Promise<Message<ResponseOf<"csi.v1.Node", M>>>;

/** Kubernetes' access modes in CSI's words; a driver that can tell one pod of a node from many is told. */
export function accessModeOf(mode: string, driver: "tells writers apart" | "one writer"): AccessModeKind {
  switch (mode) {
    case "ReadWriteOnce":
      return driver === "one writer" ? "SINGLE_NODE_WRITER" : "SINGLE_NODE_MULTI_WRITER";
    case "ReadWriteOncePod":
      return driver === "one writer" ? "SINGLE_NODE_WRITER" : "SINGLE_NODE_SINGLE_WRITER";
    case "ReadOnlyMany":
      return "MULTI_NODE_READER_ONLY";
    case "ReadWriteMany":
      return "MULTI_NODE_MULTI_WRITER";
    default:
      return "UNKNOWN";
  }
}
