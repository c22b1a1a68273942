import { createHash } from "node:crypto";
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

/** One entry of a layer that a test makes. */
export interface TestEntry {
  name: string;
  type?: "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";
  content?: string;
  linkName?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtimeS?: number;
  device?: [number, number];
  /** PAX records, as `SCHILY.xattr.user.x`. */
  pax?: Record<string, string | Buffer>;
}

const typeFlags = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** A tar of exactly these entries, however hostile. */
export function tarOf(entries: readonly TestEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    if (entry.pax) {
      const records = Object.entries(entry.pax).map(([key, value]) => paxRecord(key, value));
      const body = Buffer.concat(records);
      blocks.push(header({ name: "pax" }, "x", body.length), padded(body));
    }
    const content = Buffer.from(entry.content ?? "");
    blocks.push(header(entry, typeFlags[entry.type ?? "file"], content.length), padded(content));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function header(entry: TestEntry, typeFlag: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  block.write(entry.name, 0, 100, "utf8");
  octal(entry.mode ?? (entry.type === "directory" ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.mtimeS ?? 1_000_000_000, 136, 12);
  block.write(typeFlag, 156);
  block.write(entry.linkName ?? "", 157, 100, "utf8");
  block.write("ustar\0" + "00", 257, "latin1");
  octal(entry.device?.[0] ?? 0, 329, 8);
  octal(entry.device?.[1] ?? 0, 337, 8);
  block.write("        ", 148);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

export const sha256 = (bytes: Buffer | string) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export interface TestImage {
  layers: Buffer[];
  config?: Record<string, unknown>;
  architecture?: string;
  /** gzip by default. */
  compress?: (plain: Buffer) => Buffer;
}

const nodeArchitectures: Record<string, string> = { x64: "amd64", ia32: "386" };
export const hostArchitecture = nodeArchitectures[process.arch] ?? process.arch;

/** A registry in this process that can be told to misbehave. */
export class FakeRegistry {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, { type: string; bytes: Buffer }>();
  /** `GET /v2/…` as they came. */
  readonly requests: string[] = [];
  /** The `Authorization` of each. */
  readonly authorizations: (string | undefined)[] = [];
  /** Answers a request in the registry's place when it returns true. */
  intercept: (req: http.IncomingMessage, res: http.ServerResponse) => boolean = () => false;
  readonly #server = http.createServer((req, res) => this.#serve(req, res));

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  /** Puts an image there; returns its manifest. */
  add(repository: string, tag: string, image: TestImage) {
    const compress = image.compress ?? ((plain) => gzipSync(plain));
    const layers = image.layers.map((plain) => {
      const blob = compress(plain);
      this.blobs.set(sha256(blob), blob);
      return {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: sha256(blob),
        size: blob.length,
      };
    });
    const config = Buffer.from(
      JSON.stringify({
        os: "linux",
        architecture: image.architecture ?? hostArchitecture,
        config: image.config ?? {},
        rootfs: { type: "layers", diff_ids: image.layers.map(sha256) },
      }),
    );
    this.blobs.set(sha256(config), config);
    const type = "application/vnd.oci.image.manifest.v1+json";
    const manifest = {
      schemaVersion: 2,
      mediaType: type,
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: sha256(config),
        size: config.length,
      },
      layers,
    };
    return { ...this.addManifest(repository, tag, type, manifest), id: sha256(config), layers };
  }

  addManifest(repository: string, tag: string, type: string, manifest: unknown) {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = sha256(bytes);
    for (const name of [tag, digest]) this.manifests.set(`${repository}:${name}`, { type, bytes });
    return { digest, size: bytes.length, mediaType: type };
  }

  #serve(req: http.IncomingMessage, res: http.ServerResponse): void {
    const { pathname } = new URL(req.url!, "http://registry");
    this.requests.push(`${req.method} ${pathname}`);
    this.authorizations.push(req.headers.authorization);
    if (this.intercept(req, res)) return;
    const manifest = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(pathname);
    if (manifest) {
      const found = this.manifests.get(`${manifest[1]}:${manifest[2]}`);
      if (!found) return void res.writeHead(404).end();
      res.writeHead(200, {
        "content-type": found.type,
        "content-length": found.bytes.length,
        "docker-content-digest": sha256(found.bytes),
      });
      return void res.end(req.method === "HEAD" ? undefined : found.bytes);
    }
    const blob = this.blobs.get(/\/blobs\/(.+)$/.exec(pathname)?.[1] ?? "");
    if (!blob) return void res.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${blob.length - 1}/${blob.length}` };
    res.writeHead(from > 0 ? 206 : 200, { "content-length": blob.length - from, ...(from > 0 && range) });
    res.end(blob.subarray(from));
  }
}
