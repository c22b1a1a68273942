import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface StoredVolume {
  id: string;
  name: string;
  bytes: number;
  kind: "mount" | "block";
}

/** Go's numbers of gRPC's codes. */
export const codes = { invalidArgument: 3, notFound: 5, failedPrecondition: 9, internal: 13 } as const;

export const refused = (code: number, message: string) => Object.assign(new Error(message), { code });

/** The driver's volumes: directories, and files behind loop devices, that outlive it. */
export class Volumes {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  create(volume: StoredVolume): StoredVolume {
    const known = this.list().find(({ name }) => name === volume.name);
    if (known) return known;
    mkdirSync(this.#dataOf(volume.id), { recursive: true, mode: 0o777 });
    if (volume.kind === "block") {
      writeFileSync(this.#imageOf(volume.id), "");
      truncateSync(this.#imageOf(volume.id), volume.bytes);
    }
    this.#save(volume);
    return volume;
  }

  get(id: string): StoredVolume {
    if (!existsSync(this.#recordOf(id))) throw refused(codes.notFound, `volume ${id} does not exist`);
    return JSON.parse(readFileSync(this.#recordOf(id), "utf8")) as StoredVolume;
  }

  list(): StoredVolume[] {
    return readdirSync(this.#dir)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(join(this.#dir, name), "utf8")) as StoredVolume);
  }

  resize(id: string, bytes: number): void {
    this.#save({ ...this.get(id), bytes });
  }

  delete(id: string): void {
    rmSync(this.#dataOf(id), { recursive: true, force: true });
    rmSync(this.#recordOf(id), { force: true });
  }

  /** Mounts the volume's data, or its device, at `target`. Done already: nothing to do. */
  mount(id: string, target: string, options: { readOnly: boolean; flags: readonly string[] }): void {
    if (isMounted(target)) return;
    const { kind } = this.get(id);
    if (kind === "block") {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, "");
      execFileSync("mount", ["--bind", this.#deviceOf(id), target]);
      return;
    }
    mkdirSync(target, { recursive: true, mode: 0o750 });
    execFileSync("mount", ["--bind", this.#dataOf(id), target]);
    const flags = [...(options.readOnly ? ["ro"] : []), ...options.flags];
    if (flags.length > 0) execFileSync("mount", ["-o", ["remount", "bind", ...flags].join(","), target]);
  }

  unmount(id: string, target: string): void {
    while (isMounted(target)) execFileSync("umount", [target]);
    rmSync(target, { recursive: true, force: true });
    void id;
  }

  releaseDevice(id: string): void {
    const device = this.#attachedDevice(id);
    if (device) execFileSync("losetup", ["-d", device]);
  }

  #deviceOf(id: string): string {
    return (
      this.#attachedDevice(id) ??
      execFileSync("losetup", ["--find", "--show", this.#imageOf(id)], { encoding: "utf8" }).trim()
    );
  }

  #attachedDevice(id: string): string | undefined {
    const listed = execFileSync("losetup", ["-j", this.#imageOf(id)], { encoding: "utf8" });
    return listed.split(":")[0] || undefined;
  }

  #save(volume: StoredVolume): void {
    writeFileSync(this.#recordOf(volume.id), JSON.stringify(volume));
  }

  #dataOf = (id: string) => join(this.#dir, id);
  #imageOf = (id: string) => join(this.#dir, id, "image");
  #recordOf = (id: string) => join(this.#dir, `${id}.json`);
}

export function isMounted(path: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === path);
}
