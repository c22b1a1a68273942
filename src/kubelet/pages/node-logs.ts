import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { NodePage } from "../../client/index.ts";

const html = "text/html; charset=utf-8";
const plain = "text/plain; charset=utf-8";
/** A folder of more names is cut: it is a list to look at. */
const namesMax = 10_000;

/**
 * A file or folder of the node's logs, which are those of its pods: `pods/NAMESPACE_NAME_UID/CONTAINER/N.log`, as below
 * upstream's `/var/log`. No link leads out. As `http.FileServer`.
 */
export async function logPage(
  podLogs: string,
  path: string,
  { nodeName }: { nodeName: string },
): Promise<NodePage> {
  if (path === "") return listing(["pods/"], nodeName);
  const [top, ...rest] = path.split("/");
  const found = top === "pods" ? await resolved(podLogs, rest.join("/")) : undefined;
  if (found === undefined) return { code: 404, mediaType: plain, body: Buffer.from("404 page not found\n") };
  const info = await stat(found);
  if (info.isFile()) {
    const headers = ["last-modified", info.mtime.toUTCString()];
    if (info.size === 0) return { code: 200, mediaType: plain, headers, body: Buffer.alloc(0) };
    // As much as it says, though it may be written to meanwhile.
    headers.push("content-length", String(info.size));
    return { code: 200, mediaType: plain, headers, body: createReadStream(found, { end: info.size - 1 }) };
  }
  if (!path.endsWith("/")) {
    const last = path.slice(path.lastIndexOf("/") + 1);
    return {
      ...{ code: 301, mediaType: html, headers: ["location", `${encodeURIComponent(last)}/`] },
      body: Buffer.alloc(0),
    };
  }
  const entries = await readdir(found, { withFileTypes: true });
  const names = entries
    .slice(0, namesMax)
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort();
  return listing(names, nodeName);
}

function listing(names: readonly string[], nodeName: string): NodePage {
  const links = names.map((name) => `<a href="${encodeURI(name)}">${escaped(name)}</a>\n`);
  const title = `<!doctype html>\n<title>logs of ${escaped(nodeName)}</title>\n`;
  return { code: 200, mediaType: html, body: Buffer.from(`${title}<pre>\n${links.join("")}</pre>\n`) };
}

/** Where the path leads, if that is below the root. */
async function resolved(root: string, path: string): Promise<string | undefined> {
  try {
    const top = await realpath(root);
    const found = await realpath(join(top, path));
    return found === top || found.startsWith(top + sep) ? found : undefined;
  } catch {
    return undefined;
  }
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&#34;");
