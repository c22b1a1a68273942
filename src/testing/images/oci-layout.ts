import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** A gzip'd layer in a layout's blobs. */
export interface LayerBlob {
  digest: string;
  sizeBytes: number;
  diffId: string;
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
/** The same content is the same digest, on every machine and every day. */
const madeAt = "1970-01-01T00:00:01Z";

/** Writes OCI image layouts: `oci-layout`, `index.json`, `blobs/sha256/…`. */
export class OciLayout {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(dir: string): Promise<OciLayout> {
    await mkdir(join(dir, "blobs/sha256"), { recursive: true });
    await writeFile(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    return new OciLayout(dir);
  }

  /** A layer of everything in `root`, owned by root whoever owns it there. */
  async addLayer(root: string): Promise<LayerBlob> {
    const tar = spawn(
      "tar",
      ["--sort=name", "--mtime=@1", "--owner=0", "--group=0", "--numeric-owner", "-C", root, "-cf", "-", "."],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let complaint = "";
    tar.stderr.on("data", (piece) => {
      complaint = (complaint + piece).slice(-1000);
    });
    const ended = new Promise<number | null>((resolve, reject) =>
      tar.on("error", reject).on("close", resolve),
    );
    const plain = createHash("sha256");
    const packed = createHash("sha256");
    let sizeBytes = 0;
    const temporary = join(this.dir, "blobs/layer.new");
    await pipeline(
      tar.stdout,
      async function* (pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          plain.update(piece);
          yield piece;
        }
      },
      createGzip(),
      async function* (pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          packed.update(piece);
          sizeBytes += piece.length;
          yield piece;
        }
      },
      createWriteStream(temporary),
    );
    const code = await ended;
    if (code !== 0) throw new Error(`tar ended with ${code}: ${complaint.trim()}`);
    const hex = packed.digest("hex");
    await rename(temporary, join(this.dir, "blobs/sha256", hex));
    return { digest: `sha256:${hex}`, sizeBytes, diffId: `sha256:${plain.digest("hex")}` };
  }

  /** Writes config, manifest and index of the layout's one image. `config` is the OCI config's `config`. */
  async finish(options: {
    name: string;
    architecture: string;
    layers: readonly LayerBlob[];
    config: Record<string, unknown>;
  }): Promise<void> {
    const { name, architecture, layers } = options;
    const config = await this.#addJson({
      created: madeAt,
      architecture,
      os: "linux",
      config: options.config,
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map(() => ({ created: madeAt, created_by: "built from Debian's packages" })),
    });
    const manifest = await this.#addJson({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers: layers.map((layer) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: layer.digest,
        size: layer.sizeBytes,
      })),
    });
    const annotations = { "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name };
    const index = { schemaVersion: 2, manifests: [{ mediaType: manifestType, ...manifest, annotations }] };
    await writeFile(join(this.dir, "index.json"), JSON.stringify(index));
  }

  async #addJson(value: unknown): Promise<{ digest: string; size: number }> {
    const text = JSON.stringify(value);
    const hex = createHash("sha256").update(text).digest("hex");
    await writeFile(join(this.dir, "blobs/sha256", hex), text);
    return { digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  }
}
