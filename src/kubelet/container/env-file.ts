import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { corev1 } from "../../api/index.ts";
import { openBelow } from "../volumes/open-below.ts";
import type { MountedVolumes } from "../worker/services.ts";

/** As upstream's bound on an env file. */
const envFileBytesMax = 64 * 1_024;

/** A variable's value in a file of a volume (`fileKeyRef`); undefined when it is not there. */
export async function readEnvFile(
  volumes: MountedVolumes,
  { volumeName, path, key, optional }: corev1.FileKeySelector,
): Promise<string | undefined> {
  const volume = volumes.get(volumeName);
  if (!volume) throw new Error(`cannot find the volume "${volumeName}" referenced by FileKeyRef`);
  const found = await openBelow(volume.hostPath, path).catch(() => undefined);
  if (!found) {
    if (optional) return undefined;
    throw new Error("couldn't parse env file");
  }
  try {
    const file = await open(`/proc/self/fd/${found.fd}`, constants.O_RDONLY);
    try {
      const { size } = await file.stat();
      if (size > envFileBytesMax) throw new Error("couldn't parse env file");
      return parseEnvFile(await file.readFile("utf8")).get(key);
    } finally {
      await file.close();
    }
  } finally {
    await found.close();
  }
}

/** `KEY='value'` a line; blank lines and comments are passed over. */
export function parseEnvFile(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)=(?:'([^']*)'|"([^"]*)"|([^\s#]*))/.exec(line);
    if (match) values.set(match[1]!, match[2] ?? match[3] ?? match[4] ?? "");
  }
  return values;
}
