import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { SystemClock, SystemRandom, silentLog } from "../../base/index.ts";
import {
  type ContainerConfig,
  type Image,
  type ImageConfig,
  type PodSandboxConfig,
  type Runtime,
  RuntimeError,
  type SecurityContext,
} from "../contract.ts";
import type { ImageStore } from "../image-store.ts";
import type { LinuxHost } from "../linux/host.ts";
import type { PodNetwork } from "../pod-network.ts";
import { createOciRuntime } from "./create.ts";
import { purgeOciRuntime } from "./purge.ts";

/** Where Debian's busybox-static puts it. */
const busybox = "/bin/busybox";

/** An engine with real containers for tests, on directories of its own; `close` leaves nothing behind. */
export interface TestBed {
  dir: string;
  runDir: string;
  cgroupRoot: string;
  runtime: Runtime;
  images: FakeImageStore;
  /** Ends the engine as a crash would and starts another on the same directories. */
  restart(): Promise<Runtime>;
  close(): Promise<void>;
}

export async function createTestBed(
  options: { network?: PodNetwork; host?: LinuxHost; runtimePath?: string } = {},
): Promise<TestBed> {
  const base = await mkdtemp(join(tmpdir(), "peapod-oci-"));
  const [dir, runDir] = [join(base, "state"), join(base, "run")];
  const cgroupRoot = `peapod-test-${basename(base).slice(-6)}`;
  const images = await FakeImageStore.create(join(base, "images"));
  const clock = new SystemClock();
  const start = () =>
    createOciRuntime({
      ...{ dir, runDir, images, cgroupRoot, clock, random: new SystemRandom(), log: silentLog },
      network: options.network ?? noNetwork,
      host: options.host,
      runtimePath: options.runtimePath,
    });
  const bed: TestBed = {
    ...{ dir, runDir, cgroupRoot, images },
    runtime: await start(),
    async restart() {
      await bed.runtime.close();
      bed.runtime = await start();
      return bed.runtime;
    },
    async close() {
      await bed.runtime.close();
      await purgeOciRuntime({ dir, runDir, cgroupRoot, clock });
      await rm(base, { recursive: true, force: true });
    },
  };
  return bed;
}

/** Pods have loopback only where the test needs no address. */
export const noNetwork: PodNetwork = {
  async attach({ netnsPath }) {
    execFileSync("nsenter", [`--net=${netnsPath}`, "ip", "link", "set", "lo", "up"]);
    return { ips: ["192.0.2.7"] };
  },
  async detach() {},
  async retain() {},
  async status() {
    return { ready: true, message: "" };
  },
};

/** Images that are folders. */
export class FakeImageStore implements ImageStore {
  readonly #images = new Map<string, { layers: string[]; image: Image }>();
  readonly #base: string;

  private constructor(base: string) {
    this.#base = base;
  }

  /** With one image, `busybox`. */
  static async create(base: string): Promise<FakeImageStore> {
    const store = new FakeImageStore(base);
    await store.add("busybox", { Cmd: ["sh"] });
    return store;
  }

  async add(name: string, config: ImageConfig, files: Record<string, string> = {}): Promise<string> {
    const root = join(this.#base, name);
    for (const folder of ["bin", "etc", "tmp", "proc", "dev", "sys"]) {
      await mkdir(join(root, folder), { recursive: true });
    }
    await chmod(join(root, "tmp"), 0o1777);
    await copyFile(busybox, join(root, "bin/busybox"));
    for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n")) {
      if (applet && applet !== "busybox") await symlink("busybox", join(root, "bin", applet)).catch(() => {});
    }
    await writeFile(
      join(root, "etc/passwd"),
      "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/home/web:/bin/sh\n",
    );
    await writeFile(join(root, "etc/group"), "root:x:0:\nwheel:x:10:root\nweb:x:102:\nlogs:x:150:web\n");
    for (const [path, text] of Object.entries(files)) await writeFile(join(root, path), text);
    const id = `sha256:${name}`;
    const image: Image = {
      id,
      repoTags: [`docker.io/library/${name}:latest`],
      repoDigests: [`docker.io/library/${name}@sha256:0`],
      sizeBytes: 1,
      user: {},
      config,
    };
    this.#images.set(id, { layers: [root], image });
    return id;
  }

  async rootfs(imageId: string): Promise<{ layers: string[]; image: Image }> {
    const found = this.#images.get(imageId);
    if (!found) throw new RuntimeError("NotFound", `no image ${imageId}`);
    return found;
  }
  async status(name: string): Promise<Image | undefined> {
    return this.#images.get(name)?.image;
  }
  async pull(name: string): Promise<Image> {
    throw new RuntimeError("ErrImagePull", `no registry in this test for ${name}`);
  }
  async list(): Promise<Image[]> {
    return [...this.#images.values()].map(({ image }) => image);
  }
  async remove(): Promise<void> {}
  async fsUsage(): Promise<{ usedBytes: number; capacityBytes: number; availableBytes: number }> {
    return { usedBytes: 0, capacityBytes: 1, availableBytes: 1 };
  }
}

let pods = 0;

export function sandboxConfig(
  bed: TestBed,
  linux: Partial<PodSandboxConfig["linux"]> = {},
): PodSandboxConfig {
  const uid = `uid-${++pods}`;
  return {
    metadata: { name: `pod-${pods}`, namespace: "default", uid, attempt: 0 },
    hostname: `pod-${pods}`,
    logDirectory: join(bed.dir, "..", "logs", uid),
    dns: { servers: ["10.96.0.10"], searches: ["default.svc.cluster.local"], options: ["ndots:5"] },
    portMappings: [],
    labels: { app: "test" },
    annotations: {},
    linux: {
      cgroupParent: `kubepods/burstable/pod${uid}`,
      sysctls: {},
      namespaces: { network: "pod", ipc: "pod", pid: "container" },
      privileged: false,
      ...linux,
    },
  };
}

export function containerConfig(
  command: string[],
  changes: Partial<Omit<ContainerConfig, "linux">> & {
    security?: Partial<SecurityContext>;
    resources?: ContainerConfig["linux"]["resources"];
  } = {},
): ContainerConfig {
  const { security, resources, ...rest } = changes;
  return {
    metadata: { name: "main", attempt: 0 },
    imageId: "sha256:busybox",
    imageName: "busybox",
    command,
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: "main/0.log",
    stdin: false,
    stdinOnce: false,
    tty: false,
    ...rest,
    linux: {
      resources: resources ?? {},
      security: {
        privileged: false,
        supplementalGroups: [],
        readOnlyRootfs: false,
        noNewPrivileges: false,
        capabilities: { add: [], drop: [] },
        procMount: "Default",
        ...security,
      },
    },
  };
}

/** Resolves with the container's status once it has ended. */
export async function untilExited(runtime: Runtime, containerId: string) {
  return new Promise<NonNullable<Awaited<ReturnType<Runtime["containerStatus"]>>>>((resolve, reject) => {
    const look = async () => {
      const status = await runtime.containerStatus(containerId);
      if (status?.state !== "exited") return;
      stop();
      resolve(status);
    };
    const stop = runtime.onEvent((event) => {
      if (event.type === "exited" && event.containerId === containerId) look().catch(reject);
    });
    look().catch(reject);
  });
}
