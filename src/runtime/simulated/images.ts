import { createHash } from "node:crypto";
import { type Image, type ImageConfig, type ImageService, RuntimeError } from "../contract.ts";

/** A registry and a store of images that hold nothing but names. */
export class SimulatedImages implements ImageService {
  readonly #present = new Map<string, Image>();
  readonly #known = new Map<string, ImageConfig>();
  readonly #failures = new Map<string, RuntimeError>();
  readonly #anyName: boolean;
  /** Names pulled, in order. */
  readonly pulls: string[] = [];
  /** Set to hold pulls back until it resolves. */
  gate: Promise<void> | undefined;

  /** `anyName`: every image can be pulled, as long as it was not told to fail. */
  constructor(options: { anyName: boolean }) {
    this.#anyName = options.anyName;
  }

  /** Puts an image in the registry. */
  publish(name: string, config: ImageConfig = {}): void {
    this.#known.set(canonicalName(name), config);
  }

  /** Makes an image present without a pull. */
  load(name: string, config: ImageConfig = {}): Image {
    const image = describe(canonicalName(name), config);
    this.#present.set(canonicalName(name), image);
    return image;
  }

  /** Makes pulls of `name` fail; `undefined` lets them succeed again. */
  failPull(name: string, error: RuntimeError | undefined): void {
    if (error) this.#failures.set(canonicalName(name), error);
    else this.#failures.delete(canonicalName(name));
  }

  async status(name: string): Promise<Image | undefined> {
    const byId = [...this.#present.values()].find((image) => image.id === name);
    return byId ?? this.#present.get(canonicalName(name));
  }

  async pull(name: string): Promise<Image> {
    this.pulls.push(name);
    await this.gate;
    const canonical = canonicalName(name);
    const failure = this.#failures.get(canonical);
    if (failure) throw failure;
    const config = this.#known.get(canonical);
    if (!config && !this.#anyName) {
      throw new RuntimeError(
        "ErrImagePull",
        `failed to resolve reference "${canonical}": ${canonical}: not found`,
      );
    }
    return this.load(name, config ?? {});
  }

  async list(): Promise<Image[]> {
    return [...this.#present.values()];
  }

  async remove(name: string): Promise<void> {
    const image = await this.status(name);
    if (image) this.#present.delete(image.repoTags[0]!);
  }

  async fsUsage() {
    return { usedBytes: 0, capacityBytes: 2 ** 36, availableBytes: 2 ** 36 };
  }
}

/** `nginx` → `docker.io/library/nginx:latest`. */
function canonicalName(name: string): string {
  if (name.startsWith("sha256:")) return name;
  const slash = name.indexOf("/");
  const host = slash < 0 ? "" : name.slice(0, slash);
  const hasHost = host.includes(".") || host.includes(":") || host === "localhost";
  const full = hasHost ? name : slash < 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
  return /[:@][^/]+$/.test(full) ? full : `${full}:latest`;
}

function describe(canonical: string, config: ImageConfig): Image {
  const digest = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
  const repository = canonical.replace(/[:@][^/]+$/, "");
  const user = config.User?.split(":")[0] ?? "";
  return {
    id: digest(`config ${canonical}`),
    repoTags: [canonical],
    repoDigests: [`${repository}@${digest(`manifest ${canonical}`)}`],
    sizeBytes: 1_000_000,
    user: /^\d+$/.test(user) ? { uid: Number(user) } : user ? { name: user } : {},
    config,
  };
}
