import type { DataDir } from "./data-dir.ts";

/** What the command line needs of the composition root, which it never imports: it is handed in by `main.ts`. */
export interface ClusterModule {
  startCluster(options: ClusterOptions): Promise<RunningCluster>;
  /** Serves the container engine alone, as CRI v1 on a unix socket. Containers run on when it closes. */
  serveRuntime(
    dir: DataDir,
    options: { socketPath: string; logLevel: ClusterOptions["logLevel"] },
  ): Promise<{ endpoint: string; close(): Promise<void> }>;
  /** The images of a cluster that is not running. */
  openImages(dir: DataDir): Promise<Images>;
  /** Ends the pods of a cluster whose process is gone. */
  stopPods(dir: DataDir): Promise<void>;
  /** Removes every process, mount, namespace, cgroup, link, route, rule and file; the cluster must not be running. */
  purge(dir: DataDir): Promise<void>;
}

export interface ClusterOptions {
  dir: DataDir;
  /** 0: the last port used, or a free one. */
  port: number;
  store: "lmdb" | "memory";
  logLevel: "debug" | "info" | "warn" | "error";
  nodeName: string;
  /** `unix:///run/containerd/containerd.sock`: the engine to drive by CRI, in place of Peapod's own. */
  runtimeEndpoint?: string;
  /** A file with the node's settings; it takes the place of those in the data directory. */
  kubeletConfig?: string;
  version: string;
}

export interface RunningCluster {
  url: string;
  port: number;
  /** Resolves once `/readyz` is ok and the node is Ready. */
  ready(signal: AbortSignal): Promise<void>;
  status(): Promise<ClusterStatus>;
  images: Images;
  stop(options: { pods: PodsAtStop }): Promise<void>;
}

/**
 * What becomes of the pods when the cluster's process ends: they end first, or run on. `shutDown`: the machine goes;
 * they end where the node's settings give them time for it, and are left to the machine where not.
 */
export type PodsAtStop = "stop" | "keep" | "shutDown";

export interface ClusterStatus {
  version: string;
  node: { name: string; ready: boolean; message: string };
  pods: Record<string, number>;
  podCidr: string;
}

/** An image as `image ls` shows it. */
export interface ImageRow {
  id: string;
  tags: string[];
  digests: string[];
  sizeBytes: number;
}

export interface Images {
  list(): Promise<ImageRow[]>;
  load(path: string, options: { tag?: string }): Promise<ImageRow[]>;
  pull(name: string): Promise<ImageRow>;
  remove(name: string): Promise<void>;
}
