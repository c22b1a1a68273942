import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import * as http from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** Where an image goes: `http://127.0.0.1:5000`, `library/nginx`, `latest`. */
export interface PushTarget {
  registry: string;
  repository: string;
  tag: string;
}

/** Pushes the one image of an OCI layout to a registry that needs no authorization. What is there already is not sent again. */
export async function pushLayout(layout: string, target: PushTarget): Promise<void> {
  const blobPath = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8")) as { manifests: Descriptor[] };
  const [top] = index.manifests;
  if (!top || index.manifests.length > 1)
    throw new Error(`${layout} holds ${index.manifests.length} images, not one`);
  const manifestBytes = await readFile(blobPath(top.digest));
  const manifest = JSON.parse(manifestBytes.toString()) as { config: Descriptor; layers: Descriptor[] };
  const base = `${target.registry}/v2/${target.repository}`;
  for (const blob of [manifest.config, ...manifest.layers])
    await pushBlob(base, blob.digest, blobPath(blob.digest));
  const put = await send(
    "PUT",
    `${base}/manifests/${target.tag}`,
    { "content-type": top.mediaType },
    manifestBytes,
  );
  if (put.status !== 201)
    throw new Error(`push of ${target.repository}:${target.tag}: the registry answered ${put.status}`);
}

async function pushBlob(base: string, digest: string, path: string): Promise<void> {
  if ((await send("HEAD", `${base}/blobs/${digest}`)).status === 200) return;
  const started = await send("POST", `${base}/blobs/uploads/`);
  if (started.status !== 202 || !started.location) {
    throw new Error(`push of ${digest}: the registry answered ${started.status}`);
  }
  const upload = new URL(started.location, base);
  upload.searchParams.set("digest", digest);
  const { size } = await stat(path);
  const headers = { "content-type": "application/octet-stream", "content-length": String(size) };
  const put = await send("PUT", upload.href, headers, createReadStream(path));
  if (put.status !== 201) throw new Error(`push of ${digest}: the registry answered ${put.status}`);
}

function send(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body?: Buffer | NodeJS.ReadableStream,
): Promise<{ status: number; location?: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, (response) => {
      response.resume();
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, location: response.headers.location }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    if (body === undefined || Buffer.isBuffer(body)) request.end(body);
    else pipeline(body, request).catch(reject);
  });
}
