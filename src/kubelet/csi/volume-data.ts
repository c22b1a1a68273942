import { readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "../../base/index.ts";

const fileName = "vol_data.json";

/** What has to be known to take a volume down; on the disk before the driver is asked for it. Keys as upstream. */
export interface VolumeData {
  driverName: string;
  volumeHandle: string;
  specVolID?: string;
  nodeName?: string;
  attachmentID?: string;
  volumeLifecycleMode?: string;
}

export async function saveVolumeData(folder: string, data: VolumeData): Promise<void> {
  await writeFileAtomically(join(folder, fileName), `${JSON.stringify(data)}\n`, { mode: 0o600 });
}

/** Undefined where there is none: the driver was never asked, or has done with it. */
export async function loadVolumeData(folder: string): Promise<VolumeData | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, fileName), "utf8")) as VolumeData;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Takes away a place where a driver has unmounted. Never what is in it: the driver may have left something there that
 * is not a mount, and then the volume is not down.
 */
export const removeEmpty = (path: string): Promise<void> => absentOk(rmdir(path));

/** The same with the file beside it: nothing more has to be known of the volume there. */
export async function removeMountPoint(path: string): Promise<void> {
  const folder = dirname(path);
  await removeEmpty(path);
  // The other is what writing it left when the agent was killed.
  for (const name of [fileName, `.${fileName}.new`]) await rm(join(folder, name), { force: true });
  await absentOk(rmdir(folder));
}

async function absentOk(work: Promise<void>): Promise<void> {
  await work.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
