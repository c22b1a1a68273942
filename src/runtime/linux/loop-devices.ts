import { readdir, readFile } from "node:fs/promises";
import { runTool } from "./tool.ts";

/** The kernel's mark of a file that was removed while its device is there. */
const removedMark = " (deleted)";

/** Files as block devices. The kernel knows which there are: nothing is kept here. */
export class LoopDevices {
  /** A new device that stands for the file. */
  async attach(file: string): Promise<string> {
    return (await runTool("losetup", ["--find", "--show", file])).trim();
  }

  /** Every device of the file, also when the file is gone; there may be more than one where others make them too. */
  of(file: string): Promise<string[]> {
    return this.#where((backing) => backing === file);
  }

  /** Devices of all files below `dir`. */
  below(dir: string): Promise<string[]> {
    return this.#where((backing) => backing.startsWith(`${dir}/`));
  }

  /** One that is in use goes with its last user. */
  async detach(device: string): Promise<void> {
    await runTool("losetup", ["--detach", device]);
  }

  /** The file has grown, and the device with it. */
  async refreshSize(device: string): Promise<void> {
    await runTool("losetup", ["--set-capacity", device]);
  }

  async #where(isWanted: (backingFile: string) => boolean): Promise<string[]> {
    const names = (await readdir("/sys/block").catch(() => [])).filter((name) => /^loop\d+$/.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const text = await readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "");
        const backing = text.trimEnd();
        const file = backing.endsWith(removedMark) ? backing.slice(0, -removedMark.length) : backing;
        return file !== "" && isWanted(file) ? `/dev/${name}` : undefined;
      }),
    );
    return found.filter((device) => device !== undefined);
  }
}
