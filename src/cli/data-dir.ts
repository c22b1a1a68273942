import { join, resolve } from "node:path";

/** Where everything of one cluster lives. Two clusters have two data directories and share nothing. */
export interface DataDir {
  root: string;
  isDefault: boolean;
  /** The revision log. */
  store: string;
  /** Keys and certificates, 0600. */
  pki: string;
  /** The administrator's way in, 0600. */
  kubeconfig: string;
  /** Mirrors and credentials of image registries. */
  registries: string;
  /** The node's settings, a KubeletConfiguration. */
  kubeletConfig: string;
  images: string;
  /** The demo's own image registry, where there is one. */
  registry: string;
  /** Sandboxes and containers, as the engine knows them. */
  runtime: string;
  /** Volumes and logs of pods. */
  kubelet: string;
  /** Volumes that outlive their pods, made for claims of the default class. */
  volumes: string;
  network: string;
  /** Static pods. */
  manifests: string;
  /** Held by the running process: its pid and port. */
  run: string;
  controlSocket: string;
  log: string;
}

export const dataDirDefault = "/var/lib/peapod";

export function dataDir(path: string): DataDir {
  const root = resolve(path);
  return {
    root,
    isDefault: root === dataDirDefault,
    store: join(root, "store"),
    pki: join(root, "pki"),
    kubeconfig: join(root, "kubeconfig"),
    registries: join(root, "registries.yaml"),
    kubeletConfig: join(root, "kubelet.yaml"),
    images: join(root, "images"),
    registry: join(root, "registry"),
    runtime: join(root, "runtime"),
    kubelet: join(root, "kubelet"),
    volumes: join(root, "volumes"),
    network: join(root, "network"),
    manifests: join(root, "manifests"),
    run: join(root, "run.json"),
    controlSocket: join(root, "control.sock"),
    log: join(root, "peapod.log"),
  };
}
