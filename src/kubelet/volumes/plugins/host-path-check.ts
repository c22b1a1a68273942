import { mkdir, open, stat } from "node:fs/promises";
import type { corev1 } from "../../../api/index.ts";

/** Checks what is at a hostPath, or makes it, by the volume's type. As `pkg/volume/hostpath`. */
export async function prepareHostPath({ path, type }: corev1.HostPathVolumeSource): Promise<void> {
  const wrong = (what: string) => new Error(`hostPath type check failed: ${path} is not ${what}`);
  const found = await stat(path).catch(() => undefined);
  switch (type ?? "") {
    case "":
      return;
    case "DirectoryOrCreate":
      if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
      else if (!found.isDirectory()) throw wrong("a directory");
      return;
    case "FileOrCreate":
      if (!found) await (await open(path, "a", 0o644)).close();
      else if (!found.isFile()) throw wrong("a file");
      return;
    case "Directory":
      if (!found?.isDirectory()) throw wrong("a directory");
      return;
    case "File":
      if (!found?.isFile()) throw wrong("a file");
      return;
    case "Socket":
      if (!found?.isSocket()) throw wrong("a socket file");
      return;
    case "CharDevice":
      if (!found?.isCharacterDevice()) throw wrong("a character device");
      return;
    case "BlockDevice":
      if (!found?.isBlockDevice()) throw wrong("a block device");
      return;
    default:
      throw new Error(`${type} is an invalid volume type`);
  }
}
