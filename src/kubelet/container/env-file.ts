import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { corev1 } from "../../api/index.ts";
import { openBelow } from "../volumes/open-below.ts";
import type { MountedVolumes } from "../worker/services.ts";

/** Upstream's bound is one of 64 KiB a line. */
const envFileBytesMax = 1 << 20;

/** A variable's value in a file of a volume (`fileKeyRef`); undefined when it is not there, or empty. */
export async function readEnvFile(
  volumes: MountedVolumes,
  { volumeName, path, key, optional }: corev1.FileKeySelector,
): Promise<string | undefined> {
  const volume = volumes.get(volumeName);
  if (!volume) throw new Error(`cannot find the volume "${volumeName}" referenced by FileKeyRef`);
  const found = await openBelow(volume.hostPath, path).catch(() => undefined);
  if (!found) {
    if (optional) return undefined;
    throw new Error(`couldn't parse env file: there is no file "${path}" in the volume "${volumeName}"`);
  }
  try {
    return valueInEnvFile(await textOf(`/proc/self/fd/${found.fd}`), key);
  } catch (error) {
    throw new Error(`couldn't parse env file: ${(error as Error).message}`);
  } finally {
    await found.close();
  }
}

async function textOf(path: string): Promise<string> {
  // What a container made there is not to hold up the agent: a pipe, say.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Error("it is no file");
    if (info.size > envFileBytesMax) throw new Error(`it is longer than ${envFileBytesMax} bytes`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/**
 * The value of `key`: the first one, up to which the file must be well formed. A line is `KEY='value'`, blank, or a comment;
 * what stands in the quotes counts as it is, line breaks too. `KEY= 'value'` sets nothing, as in a shell.
 *
 * Counterpart upstream: `pkg/kubelet/util/env`.
 *
 * @throws Error that says which line is not understood
 */
export function valueInEnvFile(text: string, key: string): string | undefined {
  const source = text.replaceAll("\r\n", "\n");
  let at = 0;
  const invalid = (why: string) => {
    const line = source.slice(0, at).split("\n").length;
    return new Error(`invalid environment variable format at line ${line}: ${why}`);
  };
  const endOfLine = (from: number) => {
    const end = source.indexOf("\n", from);
    return end < 0 ? source.length : end;
  };
  for (let next = 0; at < source.length; at = next) {
    next = endOfLine(at) + 1;
    const line = source.slice(at, next - 1).replace(/^[ \t]+/, "");
    if (line === "" || line.startsWith("#")) continue;
    const [name, given] = [line.slice(0, line.indexOf("=")), line[line.indexOf("=") + 1]];
    if (!line.includes("=")) throw invalid("missing '='");
    if (name === "") throw invalid("empty variable name");
    if (/[ \t]$/.test(name)) throw invalid("whitespace before '=' is not allowed");
    if (given === " " || given === "\t") {
      if (name === key) return undefined;
      continue;
    }
    if (given !== "'") throw invalid("value must be enclosed in single quotes");
    const begin = source.indexOf("=", at) + 2;
    const end = source.indexOf("'", begin);
    if (end < 0) throw invalid("unclosed single quote");
    next = endOfLine(end) + 1;
    if (!/^[ \t]*(#|$)/.test(source.slice(end + 1, next - 1)))
      throw invalid("unexpected content after closing quote");
    if (name === key) return source.slice(begin, end) || undefined;
  }
  return undefined;
}
